/** The agent on a real node: its connections, its log, its figures, its end. */
import { hostname } from "node:os";
import { performance } from "node:perf_hooks";
import { type Cache, openCache } from "../cache/cache.ts";
import { readRecord } from "../cache/record.ts";
import type { AgentSettings } from "../config/cluster-options.ts";
import { DumpError, reasonOf } from "../domain/failures.ts";
import { pause } from "../kube/backoff.ts";
import { connect } from "../kube/http.ts";
import { KubeRegistry } from "../registration/kube-registry.ts";
import { forgetStart } from "../system/footprint.ts";
import { type Diary, runAgent } from "./agent.ts";
import { tellerFor } from "./agent-announce.ts";
import type { Ship } from "./agent-desk.ts";
import { keepLease } from "./agent-lease.ts";
import { recordLost, thisKernel } from "./agent-lost.ts";
import { AgentMetrics, type Health, serveMetrics } from "./agent-metrics.ts";
import { shipTo } from "./agent-store.ts";

/** Runs until the signal. @throws DumpError when it cannot even begin */
export async function agentOnHost(settings: AgentSettings, signal: AbortSignal): Promise<void> {
  const node = settings.nodeName ?? hostname();
  const cache = openCache(settings.dumpDir, { create: true });
  const http = await connect(settings.kubeconfig);
  const metrics = new AgentMetrics(cache);
  const pulse = new Pulse();
  const { diary, log } = await diaryFor(settings, cache, metrics, pulse);
  const world = {
    ...{ settings, node, diary },
    registry: new KubeRegistry(http),
    ship: counted(shipTo(settings), metrics),
    teller: tellerFor(http, node, (error) => diary.problem("event", error)),
  };
  await using _server = settings.metricsPort > 0 ? await serveMetrics(settings.metricsPort, metrics, pulse) : undefined;
  log.info({ node, dumps: settings.dumpDir, store: settings.store ?? null }, "agent started");
  forgetStart();
  const place = { namespace: settings.systemNamespace, node };
  const isWell = () => pulse.alive() === undefined;
  await Promise.all([
    runAgent(world, signal),
    keepLease(http, place, isWell, (error) => diary.problem("lease", error), signal),
    readKernelLog(cache, node, diary, signal),
  ]);
  log.info("agent ended");
}

async function diaryFor(settings: AgentSettings, cache: Cache, metrics: AgentMetrics, pulse: Pulse) {
  const { pino } = await import("pino");
  const level = settings.verbosity > 0 ? "debug" : "info";
  const log = pino({ base: null, level }, pino.destination({ fd: 2, sync: true }));
  const codeOf = (error: unknown) => (error instanceof DumpError ? error.code : "UNEXPECTED");
  // Those that are there already were counted by the agent before us.
  const counted = new Set(cache.records().flatMap(({ id, state }) => (state === "Capturing" ? [] : [id])));
  const diary: Diary = {
    advanced: (dump, next) => {
      log.debug({ dump, next }, "advanced");
      const record = counted.has(dump) ? undefined : readRecord(cache.spool.entry(dump));
      if (!record || record.state === "Capturing") return;
      counted.add(dump);
      metrics.seen(record);
      const { state, reason, executable, pod, message } = record;
      log.info({ dump, state, reason, executable, pod: pod && `${pod.namespace}/${pod.name}` }, message ?? "captured");
    },
    failed: (dump, error, againMs) => {
      metrics.failed.inc({ code: codeOf(error) });
      const hint = error instanceof DumpError ? error.hint : undefined;
      log.warn({ dump, code: codeOf(error), againS: Math.round(againMs / 1000), hint }, reasonOf(error));
    },
    problem: (what, error) => {
      metrics.failed.inc({ code: codeOf(error) });
      const hint = error instanceof DumpError ? error.hint : undefined;
      log.warn({ what, code: codeOf(error), hint }, reasonOf(error));
    },
    pulse: (what) => pulse.beat(what),
  };
  return { diary, log };
}

const counted = (ship: Ship | undefined, metrics: AgentMetrics): Ship | undefined =>
  ship &&
  (async (...dump) => {
    const bundle = await ship(...dump);
    metrics.stored.inc();
    return bundle;
  });

/** A scan comes once a minute. */
const SILENCE_MS = 300_000;

class Pulse implements Health {
  readonly #last = new Map<string, number>([["scan", performance.now()]]);

  beat(what: "scan" | "list"): void {
    this.#last.set(what, performance.now());
  }

  readonly alive = () =>
    performance.now() - (this.#last.get("scan") ?? 0) > SILENCE_MS
      ? "the cache was not looked through for 5 min"
      : undefined;

  readonly ready = () =>
    this.#last.has("list") ? this.alive() : "the API server has not listed this node's Coredumps yet";
}

const KMSG_MS = 10_000;

/** What the kernel gave up. In a container without /dev/kmsg that cannot be told, which is said once. */
async function readKernelLog(cache: Cache, node: string, diary: Diary, signal: AbortSignal): Promise<void> {
  let told = false;
  while (!signal.aborted) {
    try {
      for (const id of await recordLost(cache.spool, node, thisKernel())) diary.advanced(id, "done");
    } catch (error) {
      if (!told) diary.problem("kernel log", error);
      told = true;
    }
    await pause(KMSG_MS, signal);
  }
}
