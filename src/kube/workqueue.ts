import { backoffMs } from "./backoff.ts";

const MOST_MS = 10_000;

/**
 * Keys that want work. A key is worked on by one worker at a time; added while it is, it comes once more; work that fails
 * comes again later and later.
 */
export class WorkQueue {
  readonly #work: (key: string, signal: AbortSignal) => Promise<void>;
  readonly #onFailure: (key: string, error: unknown, againMs: number) => void;
  readonly #signal: AbortSignal;
  readonly #atOnce: number;
  readonly #settleMs: number;
  readonly #waiting = new Map<string, NodeJS.Timeout | undefined>();
  readonly #ready: string[] = [];
  readonly #working = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, number>();
  #held = true;

  constructor(options: {
    readonly work: (key: string, signal: AbortSignal) => Promise<void>;
    readonly onFailure: (key: string, error: unknown, againMs: number) => void;
    readonly signal: AbortSignal;
    /** Workers. */
    readonly atOnce: number;
    /** How long a key waits for others of its kind: what comes in one burst is then one piece of work. */
    readonly settleMs: number;
  }) {
    ({
      work: this.#work,
      onFailure: this.#onFailure,
      signal: this.#signal,
      atOnce: this.#atOnce,
      settleMs: this.#settleMs,
    } = options);
    this.#signal.addEventListener("abort", () => this.#clear(), { once: true });
  }

  /** Keys that wait or are worked on. */
  get depth(): number {
    return this.#waiting.size + this.#working.size;
  }

  /** From now on keys are worked on; before, they only gather. */
  open(): void {
    this.#held = false;
    this.#next();
  }

  add(key: string, afterMs: number = this.#settleMs): void {
    if (this.#signal.aborted || this.#waiting.has(key)) return;
    this.#waiting.set(
      key,
      setTimeout(() => this.#due(key), afterMs),
    );
  }

  /** Ends when the work at hand does. Call it when the signal has aborted. */
  async ended(): Promise<void> {
    await Promise.all(this.#working.values());
  }

  #due(key: string): void {
    this.#waiting.set(key, undefined);
    this.#ready.push(key);
    this.#next();
  }

  #next(): void {
    while (!this.#held && !this.#signal.aborted && this.#working.size < this.#atOnce) {
      const at = this.#ready.findIndex((key) => !this.#working.has(key));
      if (at < 0) return;
      const [key = ""] = this.#ready.splice(at, 1);
      this.#waiting.delete(key);
      this.#working.set(key, this.#run(key));
    }
  }

  async #run(key: string): Promise<void> {
    try {
      await this.#work(key, this.#signal);
      this.#failures.delete(key);
    } catch (error) {
      if (!this.#signal.aborted) this.#again(key, error);
    } finally {
      this.#working.delete(key);
      this.#next();
    }
  }

  #again(key: string, error: unknown): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const againMs = backoffMs(failures, MOST_MS);
    this.#onFailure(key, error, againMs);
    this.add(key, againMs);
  }

  #clear(): void {
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
    this.#ready.length = 0;
  }
}
