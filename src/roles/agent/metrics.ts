/** What the agent tells of itself in figures. */
import { performance } from "node:perf_hooks";
import { Histogram } from "prom-client";
import type { DumpRecord } from "../../domain/dump.ts";
import { awaitsStore } from "../../domain/states.ts";
import type { Cache } from "../../node/cache/cache.ts";
import { heldBytes } from "../../node/cache/pressure.ts";
import { readRecord } from "../../node/cache/record.ts";
import type { Entry } from "../../node/cache/spool.ts";
import { Metrics } from "../../system/metrics.ts";

export class AgentMetrics extends Metrics {
  readonly captured = this.counter("captured_total", "Dumps whose core was kept");
  readonly refused = this.counter("refused_total", "Dumps whose core was not kept", ["reason"]);
  readonly truncated = this.counter("truncated_total", "Cores that are cut short", ["cause"]);
  readonly stored = this.counter("stored_total", "Bundles verified in the store");
  readonly deliveries = this.counter("deliveries_total", "Tries for pods' own claims, by what came of them", [
    "reason",
  ]);
  readonly conflicts = this.counter("pattern_conflicts_total", "Times that another program set core_pattern");
  readonly storeUp = this.gauge("store_up", "1 while the store lets this node in, as of the last act or probe");
  readonly kernelLog = this.gauge(
    "kernel_log_readable",
    "1 while dumps that the kernel gives up are found in its log and recorded as Lost, 0 where that cannot be read",
  );
  readonly handlerSeconds = new Histogram({
    name: "coredump_handler_seconds",
    help: "How long handlers held crashed processes",
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
    registers: [this.registry],
  });

  readonly #queued: () => Entry[];

  constructor(cache: Cache) {
    super("agent");
    const queued = () => cache.spool.entries().filter((entry) => awaitsStore(readRecord(entry)?.state));
    this.#queued = queued;
    const sum = (entries: Parameters<typeof heldBytes>[0][]) =>
      Number(entries.reduce((bytes, entry) => bytes + heldBytes(entry), 0n));
    this.gauge("queue_bytes", "Bytes of dumps that wait for the store", () => sum(queued()));
    this.gauge("queue_age_seconds", "Age of the oldest dump that waits for the store", () => {
      const oldest = queued().at(-1); // newest first
      const since = oldest && readRecord(oldest)?.dumptime;
      return since ? Math.max(0, (Date.now() - Date.parse(since)) / 1000) : 0;
    });
    this.gauge("cache_bytes", "Bytes that the cache holds", () => sum(cache.spool.entries()));
  }

  /** @returns how many wait for the store, and when the oldest of them crashed; looked up no more often than that */
  waiting(everyMs: number): () => { readonly waiting: number; readonly oldest?: string } {
    let [known, untilMs]: [{ waiting: number; oldest?: string }, number] = [{ waiting: 0 }, 0];
    return () => {
      if (performance.now() < untilMs) return known;
      const queued = this.#queued();
      const last = queued.at(-1); // newest first
      const oldest = last && readRecord(last)?.dumptime;
      [known, untilMs] = [{ waiting: queued.length, ...(oldest && { oldest }) }, performance.now() + everyMs];
      return known;
    };
  }

  /** Once for each dump, when its capture is over. */
  seen({ state, reason, core, heldMs }: DumpRecord): void {
    if (state === "Refused" || state === "Lost") this.refused.inc({ reason: reason ?? state });
    else this.captured.inc();
    if (core.truncation) this.truncated.inc({ cause: core.truncation });
    if (heldMs !== null) this.handlerSeconds.observe(heldMs / 1000);
  }
}
