/** A role's log, and what is wrong at the moment. Trouble that lasts is told once, not at every try. */
import type { Logger } from "pino";
import { DumpError, isCode, reasonOf } from "../domain/failures.ts";

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

  problems = (): readonly string[] => this.troubles();

  /** What is wrong at the places that count. */
  protected troubles(counts: (where: string) => boolean = () => true): readonly string[] {
    const all = [...this.#problems].flatMap(([where, message]) => (counts(where) ? [message] : []));
    return [...new Set(all)].slice(0, MOST_PROBLEMS);
  }

  note(message: string, facts: object = {}): void {
    this.log.info(facts, message);
  }

  /** What was wrong, there or anywhere, is another's to find out. */
  forget(where?: string): void {
    if (where === undefined) this.#problems.clear();
    else this.#problems.delete(where);
  }

  /** @param error undefined: what was wrong there is well again */
  trouble(where: string, error: unknown): void {
    if (error === undefined) {
      if (this.#problems.delete(where)) this.log.info({ where }, "Well again");
      return;
    }
    const { code, hint } = this.count(error);
    this.log[this.remember(where, error) ? "error" : "debug"]({ where, code, hint }, reasonOf(error));
  }

  protected count(error: unknown): { readonly code: string; readonly hint: string | undefined } {
    const traits = error instanceof DumpError ? error : { code: "UNEXPECTED", hint: undefined };
    this.#onFailure(traits.code);
    return traits;
  }

  /** @returns whether it is news */
  protected remember(where: string, error: unknown): boolean {
    // Somebody else was quicker: that is how it works.
    if (isCode(error, "API_CONFLICT")) return false;
    const message = reasonOf(error);
    const isNews = this.#problems.get(where) !== message;
    this.#problems.set(where, message);
    return isNews;
  }
}
