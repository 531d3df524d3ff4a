/** Limits on what runs at once, in all and for each user: more is answered with "come back", so that none waits for another's share. */
import { tooManyRequests } from "./status-error.ts";

export class Places {
  readonly #what: string;
  readonly #most: number;
  readonly #mostOfOne: number;
  readonly #taken = new Map<string, number>();
  #all = 0;

  /** @param what  that there is too much of, for the refusal: `reviews of tokens` */
  constructor(what: string, most: number, mostOfOne: number) {
    this.#what = what;
    this.#most = most;
    this.#mostOfOne = mostOfOne;
  }

  /** @param weight  in the units of the limits @throws StatusError 429 */
  take(who: string, weight = 1): Disposable {
    const its = (this.#taken.get(who) ?? 0) + weight;
    if (its > this.#mostOfOne || this.#all + weight > this.#most)
      throw tooManyRequests(`there are too many ${this.#what} under way`);
    this.#all += weight;
    this.#taken.set(who, its);
    let isTaken = true;
    return {
      [Symbol.dispose]: () => {
        if (isTaken) this.#giveBack(who, weight);
        isTaken = false;
      },
    };
  }

  #giveBack(who: string, weight: number): void {
    this.#all -= weight;
    const left = (this.#taken.get(who) ?? 0) - weight;
    if (left > 0) this.#taken.set(who, left);
    else this.#taken.delete(who);
  }
}
