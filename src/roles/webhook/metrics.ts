/** What the webhook tells of itself, for Prometheus. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export class WebhookMetrics {
  readonly registry = new Registry();
  readonly reviews = new Counter({
    name: "coredump_webhook_reviews_total",
    help: "Pods by what became of them: untouched, patched, denied",
    labelNames: ["verdict"],
    registers: [this.registry],
  });
  readonly refusals = new Counter({
    name: "coredump_webhook_refused_requests_total",
    help: "Requests that were no review, by HTTP status",
    labelNames: ["status"],
    registers: [this.registry],
  });
  readonly seconds = new Histogram({
    name: "coredump_webhook_review_seconds",
    help: "Time from the whole request to its answer",
    buckets: [0.0005, 0.001, 0.005, 0.02, 0.1, 0.5],
    registers: [this.registry],
  });
  readonly failures = new Counter({
    name: "coredump_webhook_failures_total",
    help: "Failures of its certificates' upkeep, by code; each is tried again",
    labelNames: ["code"],
    registers: [this.registry],
  });
  readonly expires = new Gauge({
    name: "coredump_webhook_certificate_expires_timestamp_seconds",
    help: "When the served certificate ends",
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }
}
