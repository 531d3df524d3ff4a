/** The collector's metrics. */
import { Metrics } from "../../system/metrics.ts";

export class GcMetrics extends Metrics {
  readonly removed = this.counter("removed_total", "What was removed, and why: bundle, coredump, endpoint, upload", [
    "what",
    "why",
  ]);
  readonly removedBytes = this.counter("removed_bytes_total", "Bytes of the bundles that were removed");
  readonly bundles = this.gauge("bundles", "Bundles in the store at the last whole round");
  readonly bundleBytes = this.gauge("bundle_bytes", "Bytes that the bundles take");
  readonly alarm = this.gauge("alarm", "1 while nothing is removed because something seems wrong");
  readonly rounds = this.histogram("round_seconds", "Time of one round", [0.05, 0.2, 1, 5, 20, 60, 300], ["over"]);
  readonly storeUp = this.gauge("store_up", "1 while the store lets the collector in, as of the last probe");
  readonly leading = this.gauge("leading", "1 while this one collects, 0 while it stands by");

  constructor() {
    super("gc");
  }

  counted = (bundles: readonly { readonly sizeBytes: number }[]): void => {
    this.bundles.set(bundles.length);
    this.bundleBytes.set(bundles.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  };
}
