/** What the whole agent takes of memory while a core of 20 GiB is on its way, nearly all of which is holes. */
import { join } from "node:path";
import { readRecord, writeRecord } from "../../src/node/cache/record.ts";
import { Spool } from "../../src/node/cache/spool.ts";
import { startCluster } from "../support/cluster.ts";
import { applyCrds } from "../support/coredump-resources.ts";
import { startS3 } from "../support/s3.ts";
import { waitingDump } from "../support/waiting-dump.ts";
import { type Ours, until } from "./handlers.ts";
import { memoryMiB } from "./idle.ts";
import { startAgent } from "./node.ts";
import { rounded } from "./pairs.ts";
import { MIB, writeCore } from "./store.ts";
import { storeFlags } from "./upload.ts";

const LENGTH_BYTES = 20 * 1024 * MIB;
const DATA_BYTES = 400 * MIB;

export interface Huge {
  readonly seconds: number;
  readonly maxRssMiB: number;
}

export async function huge(ours: Ours, folder: string): Promise<Huge> {
  await using s3 = await startS3();
  await using cluster = await startCluster();
  await applyCrds(cluster);
  await cluster.kubectl("create", "namespace", "coredump-system");
  const { id } = waitingDump(ours.cache, await cluster.namespace(), { storedBytes: DATA_BYTES });
  const entry = Spool.open(ours.cache).entry(id);
  writeCore(entry.core, LENGTH_BYTES, DATA_BYTES);
  const record = readRecord(entry);
  if (!record) throw new Error(`Cannot measure: no record in ${entry.dir}`);
  const sizes = { logicalBytes: LENGTH_BYTES, sizeBytes: LENGTH_BYTES, expectedBytes: LENGTH_BYTES };
  writeRecord(entry, { ...record, core: { ...record.core, ...sizes } });
  const start = performance.now();
  const flags = ["--admission=all", ...storeFlags(s3, join(folder, "keys"))];
  await using agent = startAgent(ours, cluster, "/nowhere", ...flags);
  await until(() => readRecord(entry)?.state === "Saved", `the bundle is not in the store: ${agent.said}`);
  return { seconds: rounded((performance.now() - start) / 1000), maxRssMiB: memoryMiB(agent.pid, "VmHWM") };
}
