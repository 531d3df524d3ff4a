/** The agent's log, and how it is. Trouble that lasts is told once an hour, not at every try. */
import { performance } from "node:perf_hooks";
import type { Logger } from "pino";
import type { Cache } from "../cache/cache.ts";
import { readRecord } from "../cache/record.ts";
import type { AgentSettings } from "../config/cluster-options.ts";
import { DumpError, reasonOf } from "../domain/failures.ts";
import type { Diary } from "./agent.ts";
import type { AgentMetrics, Health } from "./agent-metrics.ts";

export async function diaryFor(settings: AgentSettings, cache: Cache, metrics: AgentMetrics, pulse: Pulse) {
  const { pino } = await import("pino");
  const level = settings.verbosity > 0 ? "debug" : "info";
  const log = pino({ base: null, level }, pino.destination({ fd: 2, sync: true }));
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
      const { code, hint } = traitsOf(error);
      metrics.failed.inc({ code });
      log.warn({ dump, code, againS: Math.round(againMs / 1000), hint }, reasonOf(error));
    },
    problem: troubles(log, metrics),
    pulse: (what) => pulse.beat(what),
  };
  return { diary, log };
}

const traitsOf = (error: unknown): { readonly code: string; readonly hint: string | undefined } =>
  error instanceof DumpError ? error : { code: "UNEXPECTED", hint: undefined };

const REMIND_MS = 3600_000;

function troubles(log: Logger, metrics: AgentMetrics): Diary["problem"] {
  const told = new Map<string, { readonly text: string; readonly atMs: number }>();
  return (what, error) => {
    if (error === undefined) {
      if (told.delete(what)) log.info({ what }, "well again");
      return;
    }
    const { code, hint } = traitsOf(error);
    metrics.failed.inc({ code });
    const [text, atMs, before] = [reasonOf(error), performance.now(), told.get(what)];
    const isNews = before?.text !== text || atMs - before.atMs > REMIND_MS;
    if (isNews) told.set(what, { text, atMs });
    log[isNews ? "warn" : "debug"]({ what, code, hint }, text);
  };
}

/** A scan comes once a minute. */
const SILENCE_MS = 300_000;

/** Whether the agent still does what it does all the time. */
export class Pulse implements Health {
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
