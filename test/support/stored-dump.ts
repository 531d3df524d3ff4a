/** Dumps that an agent has stored, as tenants find them: a bundle in a store, a Coredump that says Saved. */
import { createHash } from "node:crypto";
import { createReadStream, readFileSync, rmSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { coredumpOf, type PodRecord, statusOf } from "../../src/cluster/registration/coredump.ts";
import type { DumpRecord } from "../../src/domain/dump.ts";
import { newDumpId } from "../../src/domain/id.ts";
import type { DumpSink } from "../../src/store/ports/sink.ts";
import { bundleOf } from "../../src/store/upload/bundle.ts";
import { podRecord } from "../cluster/registration/records.ts";
import { type Part, testDump } from "../store/upload/dumps.ts";
import type { Cluster } from "./cluster.ts";
import { statusPatch } from "./coredump-resources.ts";

export interface StoredDump {
  readonly namespace: string;
  readonly name: string;
  /** In the store. */
  readonly key: string;
  readonly podUid: string;
  readonly core: Buffer;
}

/** What the core holds; the pod, which need not be there; anything else of its record. */
export interface ToStore {
  readonly lengthBytes: number;
  readonly parts: readonly Part[];
  readonly podUid?: string;
  readonly record?: Partial<DumpRecord>;
}

export async function storedDump(
  cluster: Cluster,
  namespace: string,
  sink: DumpSink,
  what: ToStore,
): Promise<StoredDump> {
  const { podUid = "5d0c8a3e-3c1c-4f0b-9b7f-0d8f5d0c8a3e" } = what;
  using dump = testDump(what.lengthBytes, what.parts);
  rmSync(dump.path("upload.json"), { force: true });
  const plain = podRecord({ state: "Saved", dumpable: 1, id: newDumpId(Date.now()), ...what.record });
  const namespaceUid = (await cluster.get("namespace", namespace)).metadata["uid"];
  const record: PodRecord = {
    ...plain,
    pod: { namespace, name: "web-0", uid: podUid },
    cluster: { name: "", objectUid: "", resourceVersion: "", crdUid: "", clusterUid: "", namespaceUid },
    core: {
      ...plain.core,
      path: dump.core,
      logicalBytes: what.lengthBytes,
      storedBytes: null,
      sha256: await digestOf(dump.core),
    },
  };
  await using upload = await bundleOf(record, dump);
  const bundle = await sink.put(upload, new AbortController().signal);
  const { metadata } = await cluster.send("create", coredumpOf(record, namespaceUid));
  const name: string = metadata["name"];
  const status = statusOf({ ...record, bundle }, undefined, new Date());
  await cluster
    .in(namespace)
    .kubectl("patch", "coredumps.v1.coredump.fujitsu.com", name, ...statusPatch({ ...status }));
  return { namespace, name, key: bundle.key, podUid, core: readFileSync(dump.core) };
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
