/** What the collector tells of itself, for Prometheus. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export class GcMetrics {
  readonly registry = new Registry();
  readonly removed = new Counter({
    name: "coredump_gc_removed_total",
    help: "What was removed, and why: bundle, coredump, endpoint, upload",
    labelNames: ["what", "why"],
    registers: [this.registry],
  });
  readonly removedBytes = new Counter({
    name: "coredump_gc_removed_bytes_total",
    help: "Bytes of the bundles that were removed",
    registers: [this.registry],
  });
  readonly bundles = new Gauge({
    name: "coredump_gc_bundles",
    help: "Bundles in the store at the last whole round",
    registers: [this.registry],
  });
  readonly bundleBytes = new Gauge({
    name: "coredump_gc_bundle_bytes",
    help: "What they take",
    registers: [this.registry],
  });
  readonly alarm = new Gauge({
    name: "coredump_gc_alarm",
    help: "1 while nothing is removed because something seems wrong",
    registers: [this.registry],
  });
  readonly failures = new Counter({
    name: "coredump_gc_failures_total",
    help: "Failures, by code; each is tried again",
    labelNames: ["code"],
    registers: [this.registry],
  });
  readonly rounds = new Histogram({
    name: "coredump_gc_round_seconds",
    help: "Time of one round",
    labelNames: ["over"],
    buckets: [0.05, 0.2, 1, 5, 20, 60, 300],
    registers: [this.registry],
  });
  readonly leading = new Gauge({
    name: "coredump_gc_leading",
    help: "1 while this one collects, 0 while it stands by",
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  counted = (bundles: readonly { readonly sizeBytes: number }[]): void => {
    this.bundles.set(bundles.length);
    this.bundleBytes.set(bundles.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  };
}
