/** What a role reports of itself, for Prometheus: `coredump_<role>_…`, and of its process what prom-client knows. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export class Metrics {
  readonly registry = new Registry();
  readonly failures: Counter;
  readonly #prefix: string;

  constructor(role: string) {
    this.#prefix = `coredump_${role}_`;
    collectDefaultMetrics({ register: this.registry });
    this.failures = this.counter("failures_total", "Failures, by code; each is tried again", ["code"]);
  }

  protected counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ ...this.#named(name, help), labelNames });
  }

  /** @param collect what it is when it is asked for; default: as it was set */
  protected gauge(name: string, help: string, collect?: () => number): Gauge {
    const collecting = collect && {
      collect(this: Gauge) {
        this.set(collect());
      },
    };
    return new Gauge({ ...this.#named(name, help), ...collecting });
  }

  /** @param buckets upper bounds, in seconds */
  protected histogram(name: string, help: string, buckets: number[], labelNames: string[] = []): Histogram {
    return new Histogram({ ...this.#named(name, help), buckets, labelNames });
  }

  #named(name: string, help: string) {
    return { name: `${this.#prefix}${name}`, help, registers: [this.registry] };
  }
}
