/**
 * Many nodes in one process: each has a cache of its own, the real agent's queues, steps, registry, events and Lease, and
 * connections of its own. Not real: the kernel and the handler (a crash is a record that appears, as a handler leaves it), the
 * engine (the record is confirmed), pods (there are none, the API answers 404) and the store (`ship` answers at once).
 *
 * A child process: `node nodes.ts KUBECONFIG FIRST COUNT FOLDER`; then each message is a crash.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KubeRegistry } from "../../src/cluster/registration/kube-registry.ts";
import type { Ship } from "../../src/cluster/steps/context.ts";
import { eventRecorder } from "../../src/cluster/steps/event-recorder.ts";
import { AGENT_OPTIONS, type AgentSettings, CLUSTER_OPTIONS, HOST_OPTIONS } from "../../src/config/cluster-options.ts";
import { CAPTURE_OPTIONS, NODE_OPTIONS } from "../../src/config/options.ts";
import { STORE_OPTIONS } from "../../src/config/store-options.ts";
import { valuesOf } from "../../src/config/values.ts";
import { reasonOf } from "../../src/domain/failures.ts";
import { newDumpId } from "../../src/domain/id.ts";
import { connect } from "../../src/kube/http.ts";
import { writeRecord } from "../../src/node/cache/record.ts";
import { Spool } from "../../src/node/cache/spool.ts";
import { runAgent } from "../../src/roles/agent/agent.ts";
import { keepLease } from "../../src/roles/agent/lease.ts";
import { podRecord } from "../cluster/registration/records.ts";

/** What the parent orders. */
export interface Crash {
  readonly node: number;
  readonly namespace: string;
}

/** What the parent is told. */
export type Told =
  | { readonly ready: true }
  | { readonly crashed: string; readonly node: number }
  | { readonly trouble: string };

export const CORE_BYTES = 4096;
const CORE = Buffer.alloc(CORE_BYTES, 0x55);
const OPTIONS = {
  ...{ ...NODE_OPTIONS, ...CAPTURE_OPTIONS, ...CLUSTER_OPTIONS },
  ...{ ...STORE_OPTIONS, ...AGENT_OPTIONS, ...HOST_OPTIONS },
};
const ship: Ship = async ({ id }) => ({ volume: "s3://none", key: id, sizeBytes: CORE_BYTES, checksum: "crc32:0" });

const tell = (what: Told) => void process.send?.(what);

/** Starts one node's agent. @returns once the API has listed this node's dumps to it */
async function startNode(kubeconfig: string, number: number, folder: string, signal: AbortSignal): Promise<void> {
  const node = `node-${number}`;
  const defaults = valuesOf(
    OPTIONS,
    () => undefined,
    (problem) => tell({ trouble: problem }),
  );
  const settings: AgentSettings = { ...defaults, dumpDir: join(folder, node) };
  const http = await connect(kubeconfig);
  const listed = Promise.withResolvers<void>();
  const problem = (error: unknown) => {
    if (error !== undefined && !signal.aborted) tell({ trouble: `${node}: ${reasonOf(error)}` });
  };
  const diary = {
    advanced: () => undefined,
    delivered: () => undefined,
    failed: (_: string, error: unknown) => problem(error),
    trouble: (_: string, error: unknown) => problem(error),
    pulse: (what: "scan" | "list") => void (what === "list" && listed.resolve()),
  };
  const world = { settings, node, log: diary, ship, deliver: undefined };
  const registry = new KubeRegistry(http);
  void runAgent({ ...world, registry, events: eventRecorder(http, node, problem) }, signal).catch(problem);
  void keepLease(http, { namespace: settings.systemNamespace, node }, () => true, problem, signal);
  await listed.promise;
}

/** A dump as a handler leaves it that was quick. */
function crash(folder: string, { node, namespace }: Crash): string {
  const time = new Date();
  const id = newDumpId(time.getTime());
  const entry = Spool.open(join(folder, `node-${node}`), true).entry(id);
  mkdirSync(entry.dir, { mode: 0o700 });
  writeFileSync(entry.core, CORE);
  const { core, ...record } = podRecord({ id, dumptime: time.toISOString(), node: `node-${node}` });
  const pod = { ...record.pod, namespace };
  writeRecord(entry, { ...record, pod, core: { ...core, path: entry.core, storedBytes: CORE_BYTES } });
  return id;
}

if (import.meta.main) {
  const [kubeconfig = "", first = "0", count = "0", folder = ""] = process.argv.slice(2);
  const stopping = new AbortController();
  process.once("disconnect", () => process.exit(0)); // nobody else ends us, should the parent be killed
  process.once("SIGTERM", () => stopping.abort());
  process.on("message", (order: Crash) => tell({ crashed: crash(folder, order), node: order.node }));
  const all = Array.from({ length: Number(count) }, (_, index) => Number(first) + index).values();
  const starter = async () => {
    for (const number of all) await startNode(kubeconfig, number, folder, stopping.signal);
  };
  await Promise.all(Array.from({ length: 8 }, starter));
  tell({ ready: true });
}
