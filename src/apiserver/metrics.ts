/** The server's figures. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export class ApiMetrics {
  readonly registry = new Registry();
  readonly requests = new Counter({
    name: "coredump_apiserver_requests_total",
    help: "Requests that were answered, by verb, resource and status",
    labelNames: ["verb", "resource", "code"],
    registers: [this.registry],
  });
  readonly seconds = new Histogram({
    name: "coredump_apiserver_request_seconds",
    help: "Time until an answer was sent; watches and dumps not counted",
    labelNames: ["verb"],
    buckets: [0.002, 0.01, 0.05, 0.2, 1, 5, 30],
    registers: [this.registry],
  });
  readonly watches = new Gauge({
    name: "coredump_apiserver_watches",
    help: "Watches that are open",
    registers: [this.registry],
  });
  readonly downloads = new Gauge({
    name: "coredump_apiserver_downloads",
    help: "Downloads that are under way",
    registers: [this.registry],
  });
  readonly downloadedBytes = new Counter({
    name: "coredump_apiserver_downloaded_bytes_total",
    help: "Bytes of dumps that were sent",
    registers: [this.registry],
  });
  readonly failures = new Counter({
    name: "coredump_apiserver_failures_total",
    help: "Failures, by code",
    labelNames: ["code"],
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }
}
