/** A store with real bundles and an API server with their Coredumps, both in memory. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { coredumpOf, type PodRecord, statusOf } from "../../../src/cluster/registration/coredump.ts";
import type { DumpRecord } from "../../../src/domain/dump.ts";
import { DumpError } from "../../../src/domain/failures.ts";
import { newDumpId } from "../../../src/domain/id.ts";
import { LABELS } from "../../../src/kube/labels.ts";
import { keyOf } from "../../../src/store/bundle/key.ts";
import { Bundles } from "../../../src/store/download/bundles.ts";
import type { Deps, Download } from "../../../src/store/download/download.ts";
import { bundleOf } from "../../../src/store/upload/bundle.ts";
import { podRecord } from "../../cluster/registration/records.ts";
import { MemorySource } from "../../contract/memory-source.ts";
import { scriptedHttp } from "../../kube/scripted-http.ts";
import { bytesOf, type Part, testDump } from "../upload/dumps.ts";

export const FOREVER = new AbortController().signal;
export const NAMESPACE_UID = "0c0ffee0-0000-4000-8000-000000000001";
const CLUSTER_UID = "0c0ffee0-0000-4000-8000-00000000000c";

type Coredump = ReturnType<typeof coredumpOf> & { status: object };

export class World {
  readonly source = new MemorySource();
  readonly namespaces = new Map<string, { uid: string; deletionTimestamp?: string }>([
    ["shop", { uid: NAMESPACE_UID }],
  ]);
  readonly coredumps: Coredump[] = [];
  readonly kube = scriptedHttp(({ path, query }) => this.#answer(path, query?.["labelSelector"]));
  deps: Deps = { kube: this.kube, bundles: new Bundles(this.source) };

  /** A dump that was stored, and its Coredump. @returns the core */
  async stored(
    core: { lengthBytes: number; parts: readonly Part[] },
    change: Partial<DumpRecord> = {},
  ): Promise<StoredDump> {
    using dump = testDump(core.lengthBytes, core.parts);
    const bytes = readFileSync(dump.core);
    const plain = podRecord({ ...change, id: newDumpId(1_750_000_000_000), state: "Saved" });
    const cluster = {
      ...{ name: "x", objectUid: "x", resourceVersion: "1", crdUid: "x", clusterUid: CLUSTER_UID },
      namespaceUid: NAMESPACE_UID,
      ...change.cluster,
    };
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const record: PodRecord = {
      ...plain,
      cluster,
      core: { ...plain.core, path: dump.core, logicalBytes: bytes.length, storedBytes: null, sha256 },
    };
    await using upload = await bundleOf(record, dump);
    const bundle = await bytesOf(upload);
    this.source.bundles.set(upload.key, bundle);
    const coredump = { ...coredumpOf(record, NAMESPACE_UID), status: statusOf(record, undefined, new Date(0)) };
    this.coredumps.push(coredump);
    return { record, coredump, name: coredump.metadata.name, key: keyOf(record), core: bytes, bundle };
  }

  /** What the API server says of that namespace and its Coredumps; of other things, nothing. */
  #answer(path: string, selector: string | undefined): object {
    const [, namespace = ""] = /^\/api\/v1\/namespaces\/([^/]+)$/.exec(path) ?? [];
    const known = this.namespaces.get(namespace);
    if (known) return { metadata: { name: namespace, ...known } };
    const [, of, name] =
      /^\/apis\/coredump.fujitsu.com\/v1\/namespaces\/([^/]+)\/coredumps(?:\/([^/]+))?$/.exec(path) ?? [];
    const there = this.coredumps.filter(({ metadata }) => metadata.namespace === of);
    if (of !== undefined && name === undefined)
      return {
        items: there.filter(({ metadata }) => `${LABELS.podUid}=${metadata.labels[LABELS.podUid]}` === selector),
      };
    const found = there.find(({ metadata }) => metadata.name === name);
    return found ?? new DumpError("NOT_FOUND", `Cannot get ${path}: not found`);
  }
}

export interface StoredDump {
  readonly record: PodRecord;
  readonly coredump: Coredump;
  readonly name: string;
  readonly key: string;
  readonly core: Buffer;
  readonly bundle: Buffer;
}

export async function read(download: Download, from = 0, to = download.lengthBytes, signal = FOREVER): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(download.read(from, to, signal), (chunk) => Buffer.from(chunk)));
}
