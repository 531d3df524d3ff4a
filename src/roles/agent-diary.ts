/** The agent's log, its figures, and what is wrong at the moment. Trouble that lasts is told once, not at every try. */
import { performance } from "node:perf_hooks";
import type { Logger } from "pino";
import type { Cache } from "../cache/cache.ts";
import { readRecord } from "../cache/record.ts";
import { DumpError, reasonOf } from "../domain/failures.ts";
import type { Diary } from "./agent.ts";
import type { Next } from "./agent-desk.ts";
import type { AgentMetrics } from "./agent-metrics.ts";

/** A scan comes once a minute. */
const SILENCE_MS = 300_000;

export class AgentDiary implements Diary {
  readonly #log: Logger;
  readonly #metrics: AgentMetrics;
  readonly #cache: Cache;
  /** Dumps that are in the figures. Those that are there already were counted by the agent before us. */
  readonly #counted: Set<string>;
  readonly #problems = new Map<string, string>();
  #scannedMs = performance.now();
  #isListed = false;

  constructor(log: Logger, metrics: AgentMetrics, cache: Cache) {
    this.#log = log;
    this.#metrics = metrics;
    this.#cache = cache;
    this.#counted = new Set(cache.records().flatMap(({ id, state }) => (state === "Capturing" ? [] : [id])));
  }

  /** Why it would be better started anew. */
  readonly alive = (): string | undefined =>
    performance.now() - this.#scannedMs > SILENCE_MS ? "the cache was not looked through for 5 min" : undefined;

  readonly problems = (): readonly string[] => {
    const unheard = this.#isListed ? [] : ["the API server has not listed this node's Coredumps yet"];
    return [...new Set([...unheard, ...this.#problems.values()])].slice(0, 10);
  };

  advanced(dump: string, next: Next): void {
    this.#log.debug({ dump, next }, "advanced");
    const record = this.#counted.has(dump) ? undefined : readRecord(this.#cache.spool.entry(dump));
    if (!record || record.state === "Capturing") return;
    this.#counted.add(dump);
    this.#metrics.seen(record);
    const { state, reason, executable, pod, message } = record;
    this.#log.info(
      { dump, state, reason, executable, pod: pod && `${pod.namespace}/${pod.name}` },
      message ?? "captured",
    );
  }

  failed(dump: string, error: unknown, againMs: number): void {
    const { code, hint } = this.#count(error);
    this.#log.warn({ dump, code, againS: Math.round(againMs / 1000), hint }, reasonOf(error));
  }

  /** @param error undefined: what was wrong there is well again */
  trouble(where: string, error: unknown): void {
    if (error === undefined) {
      if (this.#problems.delete(where)) this.#log.info({ where }, "well again");
      return;
    }
    const { code, hint } = this.#count(error);
    const text = reasonOf(error);
    this.#log[this.#problems.get(where) === text ? "debug" : "warn"]({ where, code, hint }, text);
    this.#problems.set(where, text);
  }

  pulse(what: "scan" | "list"): void {
    if (what === "scan") this.#scannedMs = performance.now();
    else this.#isListed = true;
  }

  #count(error: unknown): { readonly code: string; readonly hint: string | undefined } {
    const traits = error instanceof DumpError ? error : { code: "UNEXPECTED", hint: undefined };
    this.#metrics.failed.inc({ code: traits.code });
    return traits;
  }
}
