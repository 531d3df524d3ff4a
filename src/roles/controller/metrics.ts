/** What the controller tells of itself: figures for Prometheus, and whether it is well. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { parseQuantity } from "../../domain/quantity.ts";
import type { Mirror } from "../../kube/mirror.ts";
import type { CoredumpObject, DumpView, QuotaObject, QuotaView } from "./view.ts";

const NANO = 1e9;

export class ControllerMetrics {
  readonly registry = new Registry();
  readonly decisions = new Counter({
    name: "coredump_controller_decisions_total",
    help: "Dumps that were Allowed or Denied",
    labelNames: ["decision"],
    registers: [this.registry],
  });
  readonly collapsed = new Counter({
    name: "coredump_controller_records_collapsed_total",
    help: "Records without storage that gave way to younger ones",
    registers: [this.registry],
  });
  readonly requests = new Counter({
    name: "coredump_controller_requests_total",
    help: "Requests to the API server",
    labelNames: ["verb", "resource"],
    registers: [this.registry],
  });
  readonly failures = new Counter({
    name: "coredump_controller_failures_total",
    help: "Failures, by code; each is tried again",
    labelNames: ["code"],
    registers: [this.registry],
  });
  readonly rounds = new Histogram({
    name: "coredump_controller_round_seconds",
    help: "Time of one round in one namespace",
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [this.registry],
  });
  readonly leading = new Gauge({
    name: "coredump_controller_leading",
    help: "1 while this one decides, 0 while it stands by",
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Figures that are counted when they are asked for. */
  watch(
    dumps: Mirror<CoredumpObject, DumpView>,
    quotas: Mirror<QuotaObject, QuotaView>,
    queueDepth: () => number,
  ): void {
    this.#gauge("coredump_controller_queue_depth", "Namespaces that wait for a round", [], (gauge) =>
      gauge.set(queueDepth()),
    );
    this.#gauge("coredump_dumps", "Coredumps by state", ["state"], (gauge) => {
      for (const namespace of dumps.namespaces())
        for (const { state } of dumps.in(namespace)) gauge.inc({ state: state || "none" });
    });
    for (const [which, value] of [
      ["used", (quota: QuotaView) => quota.statusUsed],
      ["hard", (quota: QuotaView) => quota.hard],
    ] as const) {
      this.#gauge(`coredump_quota_${which}_bytes`, `Quotas: ${which}`, ["namespace", "quota"], (gauge) => {
        for (const namespace of quotas.namespaces())
          for (const quota of quotas.in(namespace)) {
            const nanos = parseQuantity(value(quota))?.nanos;
            if (nanos !== undefined) gauge.set({ namespace, quota: quota.name }, Number(nanos) / NANO);
          }
      });
    }
  }

  #gauge(name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void): void {
    this.registry.removeSingleMetric(name); // of the time before the lead was lost
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect: () => {
        gauge.reset();
        collect(gauge);
      },
    });
  }
}
