/** What the controller tells of itself. */
import { Gauge } from "prom-client";
import type { DumpView, QuotaObject, QuotaView } from "../../cluster/controller/view.ts";
import { parseQuantity } from "../../domain/quantity.ts";
import type { Coredump } from "../../kube/coredump.ts";
import type { Mirror } from "../../kube/mirror.ts";
import { Metrics } from "../../system/metrics.ts";

const NANO = 1e9;

export class ControllerMetrics extends Metrics {
  readonly decisions = this.counter("decisions_total", "Dumps that were Allowed or Denied", ["decision"]);
  readonly collapsed = this.counter("records_collapsed_total", "Records without storage that gave way to younger ones");
  readonly requests = this.counter("requests_total", "Requests to the API server", ["verb", "resource"]);
  readonly rounds = this.histogram(
    "round_seconds",
    "Time of one round in one namespace",
    [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
  );
  readonly leading = this.gauge("leading", "1 while this one decides, 0 while it stands by");

  constructor() {
    super("controller");
  }

  /** Figures that are counted when they are asked for. */
  watch(dumps: Mirror<Coredump, DumpView>, quotas: Mirror<QuotaObject, QuotaView>, queueDepth: () => number): void {
    this.#counted("coredump_controller_queue_depth", "Namespaces that wait for a round", [], (gauge) =>
      gauge.set(queueDepth()),
    );
    this.#counted("coredump_dumps", "Coredumps by state", ["state"], (gauge) => {
      for (const namespace of dumps.namespaces())
        for (const { state } of dumps.in(namespace)) gauge.inc({ state: state || "none" });
    });
    for (const [which, help, value] of [
      ["used", "What the dumps under a quota hold", (quota: QuotaView) => quota.statusUsed],
      ["hard", "What they may hold", (quota: QuotaView) => quota.hard],
    ] as const) {
      this.#counted(`coredump_quota_${which}_bytes`, help, ["namespace", "quota"], (gauge) => {
        for (const namespace of quotas.namespaces())
          for (const quota of quotas.in(namespace)) {
            const nanos = parseQuantity(value(quota))?.nanos;
            if (nanos !== undefined) gauge.set({ namespace, quota: quota.name }, Number(nanos) / NANO);
          }
      });
    }
  }

  #counted(name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void): void {
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
