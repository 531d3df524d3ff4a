/** Dumps as they lie in a cache when they are to be uploaded. */
import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { buffer } from "node:stream/consumers";
import { blankRecord, type DumpRecord } from "../../../src/domain/dump.ts";
import type { RangeSource } from "../../../src/store/bundle/reader.ts";
import type { Upload } from "../../../src/store/ports/sink.ts";
import { bundleOf } from "../../../src/store/upload/bundle.ts";
import { idOf, TIME } from "../../node/cache/caches.ts";
import { tempDir } from "../../support/tmp.ts";

/** Where the core has data: the rest are holes. */
export interface Part {
  readonly atBytes: number;
  readonly bytes: Uint8Array;
}

export interface TestDump extends Disposable {
  readonly record: DumpRecord;
  readonly dir: string;
  readonly core: string;
  path(name: string): string;
}

/** A pod's dump, allowed and whole, with all that is found beside a core. */
export function testDump(coreBytes: number, parts: readonly Part[], change: Partial<DumpRecord> = {}): TestDump {
  const dir = tempDir();
  const path = (name: string) => `${dir.path}/${name}`;
  const fd = openSync(path("core"), "w", 0o600);
  ftruncateSync(fd, coreBytes);
  for (const { atBytes, bytes } of parts) writeSync(fd, bytes, 0, bytes.length, atBytes);
  closeSync(fd);
  mkdirSync(path("facts"));
  mkdirSync(path("logs"));
  for (const name of ["status", "maps", "cmdline", "environ", "ns_mnt"])
    writeFileSync(path(`facts/${name}`), `fact ${name}\n`);
  for (const name of ["pod", "container", "image"]) writeFileSync(path(`${name}.json`), `{"kind":"${name}"}\n`);
  writeFileSync(path("logs/log.txt"), "the last line\n");
  const record: DumpRecord = {
    ...blankRecord(idOf(7), TIME, "node-1"),
    state: "Allowed",
    owner: "pod",
    executable: "nginx",
    dumpable: 1,
    hostPid: 31605,
    pod: { namespace: "shop", name: "web-0", uid: "5d0c8a3e-3c1c-4f0b-9b7f-0d8f5d0c8a3e" },
    ...change,
  };
  const core = { ...record.core, path: path("core"), logicalBytes: coreBytes, storedBytes: null, sha256: "00" };
  return {
    record: { ...record, core },
    dir: dir.path,
    core: path("core"),
    path,
    [Symbol.dispose]: dir[Symbol.dispose],
  };
}

export const FOREVER = new AbortController().signal;

export const bytesOf = (upload: Upload, fromBytes = 0): Promise<Buffer> => buffer(upload.bytes(fromBytes, FOREVER));

/** The whole bundle in memory. */
export async function bundled(dump: TestDump): Promise<Buffer> {
  await using upload = await bundleOf(dump.record, dump);
  return await bytesOf(upload);
}

export const sourceOf = (bytes: Buffer): RangeSource => ({
  sizeBytes: bytes.length,
  read: async (from, length) => bytes.subarray(from, from + length),
});
