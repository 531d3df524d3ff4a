/**
 * What one more agent's watch adds to each write of a Coredump: kube-apiserver holds every event against each watch's selector.
 * As root, like simulate.ts: `bin/node test/scale/watchers.ts [--watchers 0,500,1000,2000] [--writes 300]`; one JSON line each.
 */
import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect, type KubeHttp } from "../../src/kube/http.ts";
import { LABELS } from "../../src/kube/labels.ts";
import { COREDUMP_API, collection } from "../../src/kube/objects.ts";
import { cpuMs, memoryMiB } from "../bench/idle.ts";
import { startCluster } from "../support/cluster.ts";
import { Dumps } from "../support/controller.ts";
import { applyCrds } from "../support/coredump-resources.ts";
import { round } from "./costs.ts";

/** As many as KubeHttp keeps connections, less those for other requests. */
const EACH = 25;
const SETTLE_MS = 5000;

const { values } = parseArgs({
  options: {
    watchers: { type: "string", default: "0,500,1000,2000" },
    writes: { type: "string", default: "300" },
  },
});
const writes = Number(values.writes);

await using cluster = await startCluster();
await applyCrds(cluster);
const http = await connect(cluster.kubeconfig);
const dumps = new Dumps(http, await cluster.namespace());
await dumps.crash("dump", "1Mi");
const apiserver = Number(readFileSync(join(cluster.folder, "apiserver.pid"), "utf8"));
const stopping = new AbortController();
let watching = 0;

await write(); // what the first ones cost is not asked for
for (const watchers of values.watchers.split(",").map(Number)) {
  while (watching < watchers) await watch(await connect(cluster.kubeconfig), Math.min(EACH, watchers - watching));
  await sleep(SETTLE_MS);
  const idleMs = await cpuIn(() => sleep(SETTLE_MS));
  const [startMs, spentMs] = [performance.now(), await cpuIn(write)];
  const idleShare = ((performance.now() - startMs) / SETTLE_MS) * idleMs;
  const cpuMsPerWrite = round((spentMs - idleShare) / writes);
  const apiserverMiB = memoryMiB(apiserver, "VmRSS");
  console.log(JSON.stringify({ watchers, cpuMsPerWrite, apiserverMiB, load: round(loadavg()[0] ?? 0) }));
}
stopping.abort();

/** Watches as agents have them, of nodes where nothing happens. */
async function watch(client: KubeHttp, count: number): Promise<void> {
  const path = collection(COREDUMP_API, "coredumps");
  const open = async (number: number) => {
    const query = { watch: "true", labelSelector: `${LABELS.node}=node-${number}` };
    await client.stream({
      verb: "watch",
      resource: "coredumps",
      path,
      query,
      idleMs: 600_000,
      signal: stopping.signal,
    });
  };
  await Promise.all(Array.from({ length: count }, (_, index) => open(watching + index)));
  watching += count;
}

async function write(): Promise<void> {
  for (let turn = 0; turn < writes; turn++) await dumps.status("dump", { message: `${turn}` });
}

async function cpuIn(work: () => Promise<unknown>): Promise<number> {
  const beforeMs = cpuMs(apiserver);
  await work();
  return cpuMs(apiserver) - beforeMs;
}
