/**
 * A role's log, and what is wrong at the moment. Trouble that lasts is logged once, not at every try. A part that reports trouble
 * also reports when it is over, at the next try that goes well; what has no next try of its own lapses (`mishap()`). Else a
 * role that missed something once would never be ready again.
 */
import { performance } from "node:perf_hooks";
import type { Logger } from "pino";
import { DumpError, isCode, reasonOf } from "../domain/failures.ts";

const MOST_PROBLEMS = 10;
const LAPSE_MS = 600_000;

interface KnownProblem {
  readonly message: string;
  /** By the monotonic clock. */
  readonly untilMs: number;
}

export class RoleLog {
  protected readonly lines: Logger;
  readonly #onFailure: (code: string) => void;
  readonly #now: () => number;
  readonly #problems = new Map<string, KnownProblem>();
  readonly #states = new Map<string, string>();

  /** @param onFailure  for a figure of failures by code. @param now  a monotonic clock, in milliseconds */
  constructor(lines: Logger, onFailure: (code: string) => void, now: () => number = () => performance.now()) {
    this.lines = lines;
    this.#onFailure = onFailure;
    this.#now = now;
  }

  problems = (): readonly string[] => this.troubles();

  /** What is wrong at the places that count. */
  protected troubles(counts: (where: string) => boolean = () => true): readonly string[] {
    const all = [...this.#problems.keys()].flatMap((where) => (counts(where) ? (this.#at(where)?.message ?? []) : []));
    return [...new Set(all)].slice(0, MOST_PROBLEMS);
  }

  /** Whether something is wrong there. */
  isTroubled(where: string): boolean {
    return this.#at(where) !== undefined;
  }

  note(message: string, facts: object = {}): void {
    this.lines.info(facts, message);
  }

  /** What was wrong, there or anywhere, is another's to find out. */
  forget(where?: string): void {
    if (where === undefined) this.#problems.clear();
    else this.#problems.delete(where);
  }

  /** @param error undefined: what was wrong there is well again */
  trouble(where: string, error: unknown): void {
    this.#tell(where, error, Number.POSITIVE_INFINITY);
  }

  /**
   * As `trouble()`, of what is done when something happens and not tried again by itself: forgotten after ten minutes, because
   * the next one, which would show that all is well, may be a long time in coming.
   */
  mishap(where: string, error: unknown): void {
    this.#tell(where, error, LAPSE_MS);
  }

  /**
   * A fact that is not a failure: logged once, and when it changes; it counts nowhere.
   * @param words undefined: nothing is to be said of it any more
   */
  state(where: string, words: string | undefined, level: "info" | "warn" = "info"): void {
    if (this.#states.get(where) === words) return;
    if (words === undefined) this.#states.delete(where);
    else this.#states.set(where, words);
    this.lines[words === undefined ? "info" : level]({ where }, words ?? "Well again");
  }

  protected count(error: unknown): { readonly code: string; readonly hint: string | undefined } {
    const traits = error instanceof DumpError ? error : { code: "UNEXPECTED", hint: undefined };
    this.#onFailure(traits.code);
    return traits;
  }

  /** @returns whether it is news */
  protected remember(where: string, error: unknown, forMs: number = Number.POSITIVE_INFINITY): boolean {
    // Another replica was quicker: that is how it works.
    if (isCode(error, "API_CONFLICT")) return false;
    const message = reasonOf(error);
    const isNews = this.#at(where)?.message !== message;
    this.#problems.set(where, { message, untilMs: this.#now() + forMs });
    return isNews;
  }

  #tell(where: string, error: unknown, forMs: number): void {
    if (error === undefined) {
      if (this.#problems.delete(where)) this.lines.info({ where }, "Well again");
      return;
    }
    const { code, hint } = this.count(error);
    this.lines[this.remember(where, error, forMs) ? "error" : "debug"]({ where, code, hint }, reasonOf(error));
  }

  #at(where: string): KnownProblem | undefined {
    const problem = this.#problems.get(where);
    if (problem === undefined || problem.untilMs > this.#now()) return problem;
    this.#problems.delete(where);
    return undefined;
  }
}
