/**
 * A storm of crashes in a cluster of many nodes; one JSON line a step. As root, after `bin/build` and
 * `test/testbed/testbed setup cluster`:
 *
 *   bin/node test/scale/simulate.ts [--agents 500] [--dumps 5000] [--tenants 50] [--processes 3] [--alone 40] [--per-second 20,40,…]
 *
 * `--per-second` gives the steps, each with its share of the dumps. See docs/scale.md.
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { memoryMiB } from "../bench/idle.ts";
import { between, read, round } from "./costs.ts";
import { Simulation } from "./simulation.ts";

const { values } = parseArgs({
  options: {
    agents: { type: "string", default: "500" },
    dumps: { type: "string", default: "5000" },
    tenants: { type: "string", default: "50" },
    processes: { type: "string", default: "3" },
    alone: { type: "string", default: "40" },
    "per-second": { type: "string", default: "30" },
  },
});
const rates = values["per-second"].split(",").map(Number);
const [agents, dumps, tenants] = [Number(values.agents), Number(values.dumps), Number(values.tenants)];
const plan = { agents, processes: Number(values.processes), tenants, tightDumps: Math.floor(dumps / tenants / 2) };

await using simulation = await Simulation.start(plan);
const { book, controller, cluster, http } = simulation;
const say = (step: string, ids: readonly string[], more: object = {}) =>
  console.log(JSON.stringify({ step, dumps: ids.length, load: round(loadavg()[0] ?? 0), ...times(ids), ...more }));

await simulation.alone(3); // connections, code
say("alone", await simulation.alone(Number(values.alone)));
const startMs = performance.now();
await simulation.startOthers();
console.log(JSON.stringify({ step: "started", agents, seconds: seconds(startMs) }));
for (const rate of rates) {
  const before = await read(cluster, http, controller.pid);
  const stormMs = performance.now();
  const ids = await simulation.storm(Math.floor(dumps / rates.length), agents, rate);
  const tookS = seconds(stormMs);
  const costs = between(before, await read(cluster, http, controller.pid), ids.length);
  const controllerMiB = { rss: memoryMiB(controller.pid, "VmRSS"), most: memoryMiB(controller.pid, "VmHWM") };
  say(`${rate}/s`, ids, { tookS, controllerMiB, ...costs });
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
  troubles: [...simulation.troubles].slice(0, 10),
});

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
