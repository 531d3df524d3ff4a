/** Answers remembered for some seconds, up to so much weight. */
import { Recent } from "../../store/download/recent.ts";

/** What an entry costs besides its answer: its key, its place. */
const ENTRY_BYTES = 512;
/** Of all answers of one cache. */
const MOST_BYTES = 8 << 20;

interface CachedAnswer<T> {
  readonly answer: Promise<T>;
  untilMs: number;
}

/**
 * Answers that count for a short while. Of those who ask the same at once, one asks and all get the answer. Failures never
 * count. What is remembered is bounded in bytes (so in number, too: 16,384), and forgotten when its time is over, also when
 * is not asked for any more.
 */
export class TimedCache<T> {
  readonly #keepMs: (answer: T) => number;
  readonly #answers = new Recent<CachedAnswer<T>>(MOST_BYTES);
  #sweeping: NodeJS.Timeout | undefined;

  constructor(keepMs: (answer: T) => number) {
    this.#keepMs = keepMs;
  }

  get size(): number {
    return this.#answers.size;
  }

  /** @param key  short: it is remembered, and not counted */
  async get(key: string, ask: () => Promise<T>): Promise<T> {
    const known = this.#answers.get(key);
    if (known && performance.now() < known.untilMs) return await known.answer;
    const asked: CachedAnswer<T> = { answer: ask(), untilMs: Number.POSITIVE_INFINITY };
    this.#answers.set(key, asked, ENTRY_BYTES);
    try {
      const answer = await asked.answer;
      if (this.#answers.get(key) === asked) this.#keep(key, asked, answer);
      return answer;
    } catch (error) {
      if (this.#answers.get(key) === asked) this.#answers.delete(key);
      throw error;
    }
  }

  forget(key: string): void {
    this.#answers.delete(key);
  }

  #keep(key: string, asked: CachedAnswer<T>, answer: T): void {
    const keepMs = this.#keepMs(answer);
    asked.untilMs = performance.now() + keepMs;
    this.#answers.set(key, asked, ENTRY_BYTES + 2 * (JSON.stringify(answer)?.length ?? 0));
    this.#sweeping ??= setTimeout(() => this.#sweep(), keepMs).unref();
  }

  /** Goes on for as long as there is anything. */
  #sweep(): void {
    this.#sweeping = undefined;
    const now = performance.now();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [key, { untilMs }] of this.#answers) {
      if (untilMs <= now) this.#answers.delete(key);
      else nextMs = Math.min(nextMs, untilMs - now);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#sweeping = setTimeout(() => this.#sweep(), nextMs + 1).unref();
  }
}
