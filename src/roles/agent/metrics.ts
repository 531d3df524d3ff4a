/** What the agent tells of itself in figures. */
import { performance } from "node:perf_hooks";
import { Histogram } from "prom-client";
import type { DumpRecord } from "../../domain/dump.ts";
import { awaitsStore } from "../../domain/states.ts";
import type { Cache } from "../../node/cache/cache.ts";
import { heldBytes } from "../../node/cache/pressure.ts";
import { readRecord } from "../../node/cache/record.ts";
import type { Spool } from "../../node/cache/spool.ts";
import { Metrics } from "../../system/metrics.ts";

interface CacheFigures {
  readonly cacheBytes: number;
  readonly queueBytes: number;
  /** How many wait for the store, and when the oldest of them crashed (ISO 8601). */
  readonly queue: { readonly waiting: number; readonly oldest?: string };
}

/** One scrape is one look through the cache. */
const SCRAPE_MS = 1000;

/** Ended dumps hold nothing. */
function figuresOf(spool: Spool): CacheFigures {
  let [cacheBytes, queueBytes, waiting] = [0n, 0n, 0];
  let oldest: string | undefined;
  for (const entry of spool.entries()) {
    const bytes = heldBytes(entry);
    cacheBytes += bytes;
    const record = readRecord(entry);
    if (!record || !awaitsStore(record.state)) continue;
    queueBytes += bytes;
    waiting++;
    oldest = record.dumptime; // newest first
  }
  const queue = { waiting, ...(oldest && { oldest }) };
  return { cacheBytes: Number(cacheBytes), queueBytes: Number(queueBytes), queue };
}

/** What `look` found, for `everyMs`. */
function kept<T>(everyMs: number, look: () => T): () => T {
  let known: T | undefined;
  let untilMs = 0;
  return () => {
    if (known === undefined || performance.now() >= untilMs) {
      known = look();
      untilMs = performance.now() + everyMs;
    }
    return known;
  };
}

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

  /** @returns what waits for the store; looked up no more often than that */
  readonly waiting: (everyMs: number) => () => CacheFigures["queue"];

  constructor(cache: Cache) {
    super("agent");
    this.waiting = (everyMs) => kept(everyMs, () => figuresOf(cache.spool).queue);
    const figures = kept(SCRAPE_MS, () => figuresOf(cache.spool));
    this.gauge("queue_bytes", "Bytes of dumps that wait for the store", () => figures().queueBytes);
    this.gauge("queue_age_seconds", "Age of the oldest dump that waits for the store", () => {
      const { oldest } = figures().queue;
      return oldest ? Math.max(0, (Date.now() - Date.parse(oldest)) / 1000) : 0;
    });
    this.gauge("cache_bytes", "Bytes that the cache holds", () => figures().cacheBytes);
  }

  /** Once for each dump, when its capture is over. */
  seen({ state, reason, core, heldMs }: DumpRecord): void {
    if (state === "Refused" || state === "Lost") this.refused.inc({ reason: reason ?? state });
    else this.captured.inc();
    if (core.truncation) this.truncated.inc({ cause: core.truncation });
    if (heldMs !== null) this.handlerSeconds.observe(heldMs / 1000);
  }
}
