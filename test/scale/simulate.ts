/**
 * A storm of crashes in a cluster of many nodes; one JSON line a step. As root, after `bin/build` and
 * `test/testbed/testbed setup cluster`:
 *
 *   bin/node test/scale/simulate.ts [--agents 500] [--tenants 50] [--processes 3] [--alone 30] [--steps 12x1200,0x1500,…] [--apply FILE]
 *
 * A step is crashes per second (0: all at once) x how many; FILE is for kubectl, before the first. See docs/scale.md.
 */
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { memoryMiB } from "../bench/idle.ts";
import { Dumps } from "../support/controller.ts";
import { between, read, round } from "./costs.ts";
import { Simulation } from "./simulation.ts";

const { values } = parseArgs({
  options: {
    agents: { type: "string", default: "500" },
    tenants: { type: "string", default: "50" },
    processes: { type: "string", default: "3" },
    alone: { type: "string", default: "30" },
    apply: { type: "string" },
    steps: { type: "string", default: "12x1200,16x1000,20x1300,0x1500" },
  },
});
const steps = values.steps.split(",").map((step) => step.split("x").map(Number));
const [agents, tenants, alone] = [Number(values.agents), Number(values.tenants), Number(values.alone)];
const dumps = steps.reduce((sum, [, count = 0]) => sum + count, 0);
const plan = { agents, processes: Number(values.processes), tenants, tightDumps: Math.floor(dumps / tenants / 2) };
const IDLE_S = 20;

await using simulation = await Simulation.start(plan);
const { book, controller, cluster, http } = simulation;
const say = (step: string, ids: readonly string[], more: object = {}) =>
  console.log(JSON.stringify({ step, dumps: ids.length, load: round(loadavg()[0] ?? 0), ...times(ids), ...more }));

if (values.apply !== undefined) await cluster.kubectl("apply", "--filename", values.apply);
await simulation.alone(3); // code
say("alone", await simulation.alone(alone));
const startMs = performance.now();
await simulation.startOthers();
console.log(JSON.stringify({ step: "started", agents, seconds: seconds(startMs) }));
say("alone, its agent's first", await simulation.alone(alone, 1));
const [idle] = await costing(IDLE_S, () => sleep(IDLE_S * 1000));
console.log(JSON.stringify({ step: "idle", perSecond: idle }));
for (const [rate = 0, count = 0] of steps) {
  const stormMs = performance.now();
  const [perDump, ids] = await costing(count, () => simulation.storm(count, agents, rate));
  const controllerMiB = { rss: memoryMiB(controller.pid, "VmRSS"), most: memoryMiB(controller.pid, "VmHWM") };
  say(rate === 0 ? "all at once" : `${rate}/s`, ids, { tookS: seconds(stormMs), controllerMiB, perDump });
}
say("all", simulation.crashed, {
  objects: book.dumps.size,
  twice: book.names
    .values()
    .filter(({ size }) => size !== 1)
    .toArray().length,
  decidedOtherThanOnce: book.count(({ verdicts }) => verdicts.size !== 1),
  decisions: {
    allowed: await controller.metric('coredump_controller_decisions_total{decision="Allowed"}'),
    denied: await controller.metric('coredump_controller_decisions_total{decision="Denied"}'),
  },
  objectBytes: Math.round(JSON.stringify(await new Dumps(http, "tenant-1").all()).length / (dumps / tenants)),
  troubles: [...simulation.troubles].slice(0, 10),
});

/** @returns what the work cost, divided by `by`, and what it returned */
async function costing<T>(by: number, work: () => Promise<T>) {
  const before = await read(cluster, http, controller.pid);
  const done = await work();
  return [between(before, await read(cluster, http, controller.pid), by), done] as const;
}

function times(ids: readonly string[]) {
  const quantiles = (all: readonly number[]) => {
    const sorted = all.toSorted((a, b) => a - b);
    return { median: sorted[sorted.length >> 1], p99: sorted[Math.floor(sorted.length * 0.99)] };
  };
  const seen = ids.flatMap((id) => book.dumps.get(id) ?? []);
  return {
    visibleMs: quantiles(seen.map(({ visibleMs }) => visibleMs)),
    decidedMs: quantiles(seen.flatMap(({ decidedMs }) => decidedMs ?? [])),
  };
}

function seconds(sinceMs: number): number {
  return round((performance.now() - sinceMs) / 1000);
}
