/** The controller's log, and what is wrong at the moment. Trouble that lasts is told once, not at every try. */
import type { Logger } from "pino";
import { DumpError, reasonOf } from "../domain/failures.ts";
import type { Judgement } from "../policy/quota.ts";
import type { ControllerMetrics } from "./controller-metrics.ts";
import type { DumpView } from "./controller-view.ts";

export class ControllerDiary {
  readonly #log: Logger;
  readonly #metrics: ControllerMetrics;
  readonly #problems = new Map<string, string>();

  constructor(log: Logger, metrics: ControllerMetrics) {
    this.#log = log;
    this.#metrics = metrics;
  }

  problems = (): readonly string[] => [...new Set(this.#problems.values())].slice(0, 10);

  note(message: string, facts: object = {}): void {
    this.#log.info(facts, message);
  }

  /** What was wrong is another's to find out. */
  forget(): void {
    this.#problems.clear();
  }

  /** @param error undefined: what was wrong there is well again */
  trouble(where: string, error: unknown): void {
    if (error === undefined) {
      if (this.#problems.delete(where)) this.#log.info({ where }, "Well again");
      return;
    }
    const { code, hint } = error instanceof DumpError ? error : { code: "UNEXPECTED", hint: undefined };
    const [message, facts] = [reasonOf(error), { where, code, hint }];
    this.#metrics.failures.inc({ code });
    // Somebody else was quicker: that is how it works.
    const isNews = code !== "API_CONFLICT" && this.#problems.get(where) !== message;
    if (code !== "API_CONFLICT") this.#problems.set(where, message);
    this.#log[isNews ? "error" : "debug"](facts, message);
  }

  decided(namespace: string, { allowed, denied, unreadable }: Judgement<DumpView>): void {
    for (const [decision, verdicts] of Object.entries({ Allowed: allowed, Denied: denied })) {
      if (verdicts.length > 0) this.#metrics.decisions.inc({ decision }, verdicts.length);
      for (const { dump, denial } of verdicts)
        this.#log.info({ namespace, dump: dump.name, decision, ...(denial && { why: denial }) }, "Decided");
    }
    const words = unreadable.map(
      (name) => `CoredumpQuota ${namespace}/${name} has no readable spec.hard; its dumps wait`,
    );
    this.trouble(
      `quotas of ${namespace}`,
      words.length > 0 ? new DumpError("API_INVALID", words.join("; ")) : undefined,
    );
  }
}
