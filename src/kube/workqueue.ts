import { performance } from "node:perf_hooks";
import { backoffMs } from "./backoff.ts";

const MOST_MS = 10_000;

interface Work {
  readonly work: (key: string, signal: AbortSignal) => Promise<void>;
  readonly onFailure: (key: string, error: unknown, againMs: number) => void;
  /** Ends it: what waits is forgotten. */
  readonly signal: AbortSignal;
  /** Workers. */
  readonly atOnce: number;
  /** How long a key waits for others of its kind: what comes in one burst is then one piece of work. */
  readonly settleMs: number;
}

/**
 * Keys that want work. A key is worked on by one worker at a time; added while it is, it comes once more; work that failed
 * comes again later and later.
 */
export class WorkQueue {
  readonly #how: Work;
  readonly #timers = new Map<string, { readonly timer: NodeJS.Timeout; readonly dueMs: number }>();
  readonly #due = new Set<string>();
  readonly #working = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, { readonly count: number; readonly notBeforeMs: number }>();
  #isOpen = false;

  constructor(how: Work) {
    this.#how = how;
    how.signal.addEventListener("abort", () => this.#clear(), { once: true });
  }

  /** Keys that are due or worked on. */
  get depth(): number {
    return this.#due.size + this.#working.size;
  }

  /** From now on keys are worked on; before, they only gather. */
  open(): void {
    this.#isOpen = true;
    this.#next();
  }

  /** At the earlier of two times when it waits already, but never before a failure's pause is over. */
  add(key: string, afterMs: number = this.#how.settleMs): void {
    if (this.#how.signal.aborted || this.#due.has(key)) return;
    const nowMs = performance.now();
    const dueMs = Math.max(nowMs + afterMs, this.#failures.get(key)?.notBeforeMs ?? 0);
    const waiting = this.#timers.get(key);
    if (waiting && waiting.dueMs <= dueMs) return;
    clearTimeout(waiting?.timer);
    this.#timers.set(key, { timer: setTimeout(() => this.#isDue(key), dueMs - nowMs), dueMs });
  }

  /** Ends when the work at hand does; for when the signal has aborted. */
  async ended(): Promise<void> {
    await Promise.all(this.#working.values());
  }

  #isDue(key: string): void {
    this.#timers.delete(key);
    this.#due.add(key);
    this.#next();
  }

  #next(): void {
    for (const key of this.#due) {
      if (!this.#isOpen || this.#working.size >= this.#how.atOnce) return;
      if (this.#working.has(key)) continue;
      this.#due.delete(key);
      this.#working.set(key, this.#run(key));
    }
  }

  async #run(key: string): Promise<void> {
    const { work, onFailure, signal } = this.#how;
    try {
      await work(key, signal);
      this.#failures.delete(key);
    } catch (error) {
      if (!signal.aborted) onFailure(key, error, this.#again(key));
    } finally {
      this.#working.delete(key);
      this.#next();
    }
  }

  #again(key: string): number {
    const count = this.#failures.get(key)?.count ?? 0;
    const againMs = backoffMs(count, MOST_MS);
    this.#failures.set(key, { count: count + 1, notBeforeMs: performance.now() + againMs });
    this.add(key, againMs);
    return againMs;
  }

  #clear(): void {
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#due.clear();
  }
}
