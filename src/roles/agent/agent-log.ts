/** The agent's log: what became of its dumps, and what keeps it from its work. */
import { performance } from "node:perf_hooks";
import type { Logger } from "pino";
import type { Next } from "../../cluster/steps/context.ts";
import type { DumpDelivery } from "../../domain/dump.ts";
import { reasonOf } from "../../domain/failures.ts";
import type { Cache } from "../../node/cache/cache.ts";
import { readRecord } from "../../node/cache/record.ts";
import type { Step } from "../../node/install/step.ts";
import { RoleLog } from "../role-log.ts";
import type { AgentMetrics } from "./metrics.ts";

/** A scan comes once a minute. */
const SILENCE_MS = 300_000;

/** What keeps nothing from its place: fewer dumps are known to be lost. */
const DISPENSABLE = "kernel log";

export class AgentLog extends RoleLog {
  readonly #metrics: AgentMetrics;
  readonly #cache: Cache;
  /** Dumps that are in the figures. Those that are there already were counted by the agent before us. */
  readonly #counted: Set<string>;
  #scannedMs = performance.now();
  #isListed = false;

  constructor(lines: Logger, metrics: AgentMetrics, cache: Cache) {
    super(lines, (code) => metrics.failures.inc({ code }));
    this.#metrics = metrics;
    this.#cache = cache;
    this.#counted = new Set(cache.records().flatMap(({ id, state }) => (state === "Capturing" ? [] : [id])));
  }

  /** Why it would be better restarted. */
  readonly alive = (): string | undefined =>
    performance.now() - this.#scannedMs > SILENCE_MS ? "the cache was not looked through for 5 min" : undefined;

  override problems = (): readonly string[] => {
    const unlisted = this.#isListed ? [] : ["the API server has not listed this node's Coredumps yet"];
    const dead = this.alive();
    return [...(dead === undefined ? [] : [dead]), ...unlisted, ...this.troubles((where) => where !== DISPENSABLE)];
  };

  advanced(dump: string, next: Next): void {
    this.lines.debug({ dump, next }, "advanced");
    if (next === "busy") return; // the process at work may refuse it yet
    this.forget(dump);
    const record = this.#counted.has(dump) ? undefined : readRecord(this.#cache.spool.entry(dump));
    if (!record || record.state === "Capturing") return;
    this.#counted.add(dump);
    this.#metrics.seen(record);
    const { state, reason, executable, pod, message } = record;
    this.lines.info(
      { dump, state, reason, executable, pod: pod && `${pod.namespace}/${pod.name}` },
      message ?? "captured",
    );
  }

  delivered(dump: string, { state, claim, reason, message }: DumpDelivery): void {
    this.#metrics.deliveries.inc({ reason: reason ?? state });
    this.lines[state === "Delivered" ? "info" : "warn"]({ dump, claim, reason }, `delivery: ${message}`);
  }

  /** What is wrong with one dump or its store is in its Coredump; without the API server it cannot be reported. */
  failed(dump: string, error: unknown, againMs: number): void {
    const { code, hint } = this.count(error);
    if (code.startsWith("API_")) this.remember(dump, error);
    this.lines.warn({ dump, code, againS: Math.round(againMs / 1000), hint }, reasonOf(error));
  }

  installed(steps: readonly Step[]): void {
    for (const { what, text, hint, level } of steps) this.lines[level === "ok" ? "info" : "warn"]({ what, hint }, text);
  }

  conflict(pattern: string): void {
    this.#metrics.conflicts.inc();
    this.lines.warn({ pattern }, "another program set core_pattern");
  }

  /** @param why  an errno, where it cannot be read */
  readsKernelLog(why: string | undefined): void {
    this.#metrics.kernelLog.set(why === undefined ? 1 : 0);
    const words = `the kernel's log cannot be read (${why}; it takes CAP_SYSLOG): dumps that the kernel gives up are not recorded`;
    this.state(DISPENSABLE, why === undefined ? undefined : words);
  }

  pulse(what: "scan" | "list"): void {
    if (what === "scan") this.#scannedMs = performance.now();
    else this.#isListed = true;
  }
}
