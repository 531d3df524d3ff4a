/** A role's log, and what is wrong at the moment. Trouble that lasts is told once, not at every try. */
import type { Logger } from "pino";
import { DumpError, reasonOf } from "../domain/failures.ts";

const MOST_PROBLEMS = 10;

export class Diary {
  protected readonly log: Logger;
  readonly #onFailure: (code: string) => void;
  readonly #problems = new Map<string, string>();

  /** @param onFailure  for a figure of failures by code */
  constructor(log: Logger, onFailure: (code: string) => void) {
    this.log = log;
    this.#onFailure = onFailure;
  }

  problems = (): readonly string[] => [...new Set(this.#problems.values())].slice(0, MOST_PROBLEMS);

  note(message: string, facts: object = {}): void {
    this.log.info(facts, message);
  }

  /** What was wrong is another's to find out. */
  forget(): void {
    this.#problems.clear();
  }

  /** @param error undefined: what was wrong there is well again */
  trouble(where: string, error: unknown): void {
    if (error === undefined) {
      if (this.#problems.delete(where)) this.log.info({ where }, "Well again");
      return;
    }
    const { code, hint } = error instanceof DumpError ? error : { code: "UNEXPECTED", hint: undefined };
    const [message, facts] = [reasonOf(error), { where, code, hint }];
    this.#onFailure(code);
    // Somebody else was quicker: that is how it works.
    const isNews = code !== "API_CONFLICT" && this.#problems.get(where) !== message;
    if (code !== "API_CONFLICT") this.#problems.set(where, message);
    this.log[isNews ? "error" : "debug"](facts, message);
  }
}
