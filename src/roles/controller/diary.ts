/** The controller's log: what it decided. */
import type { Logger } from "pino";
import type { DumpView } from "../../cluster/controller/view.ts";
import type { Judgement } from "../../cluster/policy/quota.ts";
import { DumpError } from "../../domain/failures.ts";
import { Diary } from "../diary.ts";
import type { ControllerMetrics } from "./metrics.ts";

export class ControllerDiary extends Diary {
  readonly #metrics: ControllerMetrics;

  constructor(log: Logger, metrics: ControllerMetrics) {
    super(log, (code) => metrics.failures.inc({ code }));
    this.#metrics = metrics;
  }

  decided(namespace: string, { allowed, denied, unreadable }: Judgement<DumpView>): void {
    for (const [decision, verdicts] of Object.entries({ Allowed: allowed, Denied: denied })) {
      if (verdicts.length > 0) this.#metrics.decisions.inc({ decision }, verdicts.length);
      for (const { dump, denial } of verdicts)
        this.log.info({ namespace, dump: dump.name, decision, ...(denial && { why: denial }) }, "Decided");
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
