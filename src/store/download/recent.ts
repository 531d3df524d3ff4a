/** What was used last, up to so much weight. */
export class Recent<T> {
  readonly #most: number;
  readonly #kept = new Map<string, { readonly value: T; readonly weight: number }>(); // in the order of their last use
  #weight = 0;

  constructor(mostWeight: number) {
    this.#most = mostWeight;
  }

  get(name: string): T | undefined {
    const kept = this.#kept.get(name);
    if (!kept) return undefined;
    this.#kept.delete(name);
    this.#kept.set(name, kept);
    return kept.value;
  }

  set(name: string, value: T, weight: number): void {
    this.delete(name);
    this.#kept.set(name, { value, weight });
    this.#weight += weight;
    for (const oldest of this.#kept.keys()) {
      if (this.#weight <= this.#most) break;
      this.delete(oldest);
    }
  }

  get size(): number {
    return this.#kept.size;
  }

  *[Symbol.iterator](): Generator<readonly [name: string, value: T]> {
    for (const [name, { value }] of this.#kept) yield [name, value];
  }

  delete(name: string): void {
    this.#weight -= this.#kept.get(name)?.weight ?? 0;
    this.#kept.delete(name);
  }
}
