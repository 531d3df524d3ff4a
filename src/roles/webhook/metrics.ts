/** The webhook's metrics. */
import { Metrics } from "../../system/metrics.ts";

export class WebhookMetrics extends Metrics {
  readonly reviews = this.counter("reviews_total", "Pods by what became of them: untouched, patched, denied", [
    "verdict",
  ]);
  readonly refusals = this.counter("refused_requests_total", "Requests that were no review, by HTTP status", [
    "status",
  ]);
  readonly seconds = this.histogram(
    "review_seconds",
    "Time from the whole request to its answer",
    [0.0005, 0.001, 0.005, 0.02, 0.1, 0.5],
  );
  readonly expires = this.gauge("certificate_expires_timestamp_seconds", "When the served certificate ends");

  constructor() {
    super("webhook");
  }
}
