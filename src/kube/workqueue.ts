/** Each key by one worker at a time; after a failure again, later and later. */
import { performance } from "node:perf_hooks";
import { backoffMs } from "../system/backoff.ts";

export interface QueueOptions {
  /** @returns in how many milliseconds the key is to come again by itself; undefined: when it is added */
  readonly work: (key: string, signal: AbortSignal) => Promise<number | undefined>;
  readonly onFailure: (key: string, error: unknown, againMs: number) => void;
  /** Ends it: nothing more is taken, and what waits is forgotten. */
  readonly signal: AbortSignal;
  /** Makes the work at hand leave things as they are; default: `signal`. */
  readonly park?: AbortSignal;
  /** Workers. */
  readonly atOnce: number;
  /** How long a key waits for others of its kind: what comes in one burst is then one piece of work. Default: not at all. */
  readonly settleMs?: number;
  /** How long to wait after so many failures of a key. */
  readonly pauseMs?: (failures: number) => number;
  /** Keys only gather until `open()`. */
  readonly closed?: boolean;
}

/**
 * Keys that want work. A key is worked on by one worker at a time; added while it is, it comes once more; work that failed
 * comes again later and later.
 */
export class WorkQueue {
  readonly #options: QueueOptions;
  readonly #waiting = new Map<string, { readonly timer: NodeJS.Timeout; readonly dueMs: number }>();
  readonly #due = new Set<string>();
  readonly #working = new Map<string, { readonly done: Promise<void>; readonly interruption: AbortController }>();
  readonly #failures = new Map<string, { readonly count: number; readonly notBeforeMs: number }>();
  #isOpen: boolean;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#isOpen = !options.closed;
    options.signal.addEventListener("abort", () => this.#clear(), { once: true });
  }

  /** Keys that are due or worked on. */
  get depth(): number {
    return this.#due.size + this.#working.size;
  }

  /** From now on keys are worked on. */
  open(): void {
    this.#isOpen = true;
    this.#next();
  }

  /** At the earlier of two times when it waits already, but never before a failure's pause is over. */
  add(key: string, afterMs: number = this.#options.settleMs ?? 0): void {
    const pauseMs = (this.#failures.get(key)?.notBeforeMs ?? 0) - performance.now();
    this.#in(key, Math.max(afterMs, pauseMs));
  }

  /** At once, whatever it was to wait for: what stood in its way may be gone. */
  hasten(key: string): void {
    this.#in(key, 0);
  }

  /** All that wait for their next try. */
  hastenAll(): void {
    for (const key of [...this.#waiting.keys()]) this.hasten(key);
  }

  /** Unless it waits for its next try already, or is worked on. */
  offer(key: string): void {
    if (!this.#waiting.has(key) && !this.#working.has(key)) this.hasten(key);
  }

  /** What is being done to it is of no use any more; it comes again at once. */
  interrupt(key: string, why: Error): void {
    this.#working.get(key)?.interruption.abort(why);
    this.hasten(key);
  }

  /** Ends when the work at hand does; for when the signal has aborted, or nothing is added any more. */
  async ended(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working.values().map(({ done }) => done));
  }

  #in(key: string, afterMs: number): void {
    if (this.#options.signal.aborted || this.#due.has(key)) return;
    const dueMs = performance.now() + afterMs;
    const waiting = this.#waiting.get(key);
    if (waiting && waiting.dueMs <= dueMs) return;
    clearTimeout(waiting?.timer);
    this.#waiting.set(key, { timer: setTimeout(() => this.#isDue(key), afterMs), dueMs });
  }

  #isDue(key: string): void {
    this.#waiting.delete(key);
    this.#due.add(key);
    this.#next();
  }

  #next(): void {
    for (const key of this.#due) {
      if (!this.#isOpen || this.#working.size >= this.#options.atOnce) return;
      if (this.#working.has(key)) continue;
      this.#due.delete(key);
      const interruption = new AbortController();
      this.#working.set(key, { done: this.#run(key, interruption.signal), interruption });
    }
  }

  async #run(key: string, interrupted: AbortSignal): Promise<void> {
    const { work, onFailure, signal, park = signal } = this.#options;
    try {
      const againMs = await work(key, AbortSignal.any([park, interrupted]));
      this.#failures.delete(key);
      if (againMs !== undefined) this.#in(key, againMs);
    } catch (error) {
      if (!signal.aborted && !interrupted.aborted) onFailure(key, error, this.#again(key));
    } finally {
      this.#working.delete(key);
      this.#next();
    }
  }

  #again(key: string): number {
    const { pauseMs = (failures) => backoffMs(failures, 10_000) } = this.#options;
    const count = this.#failures.get(key)?.count ?? 0;
    const againMs = pauseMs(count);
    this.#failures.set(key, { count: count + 1, notBeforeMs: performance.now() + againMs });
    this.#in(key, againMs);
    return againMs;
  }

  #clear(): void {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
    this.#due.clear();
  }
}
