/** Answers that count for a short while. Of those who ask the same at once, one asks and all get the answer. Failures never count. */
export class TimedCache<T> {
  readonly #keepMs: (answer: T) => number;
  readonly #most: number;
  readonly #answers = new Map<string, { readonly answer: Promise<T>; untilMs: number }>();

  /** @param most  how many are remembered; the oldest goes first */
  constructor(keepMs: (answer: T) => number, most: number) {
    this.#keepMs = keepMs;
    this.#most = most;
  }

  async get(key: string, ask: () => Promise<T>): Promise<T> {
    const known = this.#answers.get(key);
    if (known && performance.now() < known.untilMs) return await known.answer;
    const asked = { answer: ask(), untilMs: Number.POSITIVE_INFINITY };
    this.#answers.delete(key);
    this.#answers.set(key, asked);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > this.#most && oldest !== undefined) this.#answers.delete(oldest);
    try {
      const answer = await asked.answer;
      asked.untilMs = performance.now() + this.#keepMs(answer);
      return answer;
    } catch (error) {
      if (this.#answers.get(key) === asked) this.#answers.delete(key);
      throw error;
    }
  }
}
