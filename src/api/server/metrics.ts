/** The API server's metrics. */
import { Metrics } from "../../system/metrics.ts";

export class ApiMetrics extends Metrics {
  readonly requests = this.counter("requests_total", "Requests that were answered, by verb, resource and status", [
    "verb",
    "resource",
    "code",
  ]);
  readonly seconds = this.histogram(
    "request_seconds",
    "Time until an answer was sent; watches and dumps not counted",
    [0.002, 0.01, 0.05, 0.2, 1, 5, 30],
    ["verb"],
  );
  readonly watches = this.gauge("watches", "Watches that are open");
  readonly downloads = this.gauge("downloads", "Downloads that are under way");
  readonly downloadedBytes = this.counter("downloaded_bytes_total", "Bytes of dumps that were sent");
  readonly storeUp = this.gauge("store_up", "1 while the store lets the server in, as of the last probe");

  constructor() {
    super("apiserver");
  }
}
