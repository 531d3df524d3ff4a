/** Dumps that wait in a cache, as a handler leaves them that could register nothing. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import type { DumpRecord } from "../../src/domain/dump.ts";
import { newDumpId } from "../../src/domain/id.ts";
import { writeRecord } from "../../src/node/cache/record.ts";
import { Spool } from "../../src/node/cache/spool.ts";
import { type Part, testDump } from "../store/upload/dumps.ts";

export interface Waiting {
  readonly coreBytes?: number;
  /** What quotas charge. */
  readonly storedBytes?: number;
  /** Where the core has data: the rest are holes. */
  readonly parts?: readonly Part[];
  readonly executable?: string;
  readonly dumptime?: Date;
  /** Default: one that is gone. */
  readonly podUid?: string;
}

/** The pod need not be there: its engine has confirmed it. */
export function waitingDump(dumpDir: string, namespace: string, dump: Waiting = {}): DumpRecord {
  const { coreBytes = 4096, storedBytes = 4096, parts = [], executable = "nginx" } = dump;
  const { podUid = "5d0c8a3e-3c1c-4f0b-9b7f-0d8f5d0c8a3e" } = dump;
  const { dumptime = new Date(Date.now() + 2000) } = dump; // behind the namespace's creation, which has whole seconds
  using made = testDump(coreBytes, parts, { id: newDumpId(Date.now()), state: "Captured", executable });
  const entry = Spool.open(dumpDir, true).entry(made.record.id);
  mkdirSync(entry.dir, { mode: 0o700 });
  execFileSync("cp", ["--sparse=always", made.core, entry.core]);
  for (const name of ["pod.json", "container.json", "image.json"]) copyFileSync(made.path(name), entry.path(name));
  const record: DumpRecord = {
    ...made.record,
    dumptime: dumptime.toISOString(),
    pod: { namespace, name: "web-0", uid: podUid },
    container: { ...CONTAINER },
    identity: { source: "cri", confirmed: true, problem: null, cgroup: null },
    core: {
      ...made.record.core,
      path: entry.core,
      sizeBytes: coreBytes,
      storedBytes,
      expectedBytes: coreBytes,
      complete: true,
    },
  };
  writeRecord(entry, record);
  return record;
}

const CONTAINER = {
  runtime: "containerd",
  id: "c".repeat(64),
  name: "app",
  image: null,
  imageDigest: null,
  attempt: 0,
} as const;
