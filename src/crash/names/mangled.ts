/** What both demanglers need: a cursor over a symbol, and bounds. 235 bytes of Rust's names, or 215 of C++, can stand for megabytes. */

/** Longer names would be cut where they are shown. */
const MAX_OUTPUT = 2048;
const MAX_STEPS = 20_000;
const MAX_DEPTH = 200;

/** Not such a name, or one that is not worth its cost: the caller keeps the symbol as it is. */
export class NotMangled extends Error {}

export class Mangled {
  readonly text: string;
  at: number;
  #steps = 0;
  #depth = 0;

  constructor(text: string, at: number) {
    this.text = text;
    this.at = at;
  }

  get next(): string {
    return this.text[this.at] ?? "";
  }

  get ended(): boolean {
    return this.at >= this.text.length;
  }

  peek(length: number): string {
    return this.text.slice(this.at, this.at + length);
  }

  take(length = 1): string {
    const taken = this.peek(length);
    if (taken.length < length) throw new NotMangled();
    this.at += length;
    return taken;
  }

  /** Steps over so many letters that were looked at already. */
  past(length: number): this {
    this.take(length);
    return this;
  }

  /** Steps over `word` if it is there. */
  skip(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  expect(word: string): void {
    if (!this.skip(word)) throw new NotMangled();
  }

  digits(): number {
    const from = this.at;
    while (this.next >= "0" && this.next <= "9" && this.at - from < 9) this.at++;
    if (this.at === from) throw new NotMangled();
    return Number(this.text.slice(from, this.at));
  }

  /** Every production goes through here: so many steps and no deeper than this. */
  within<T>(parse: () => T): T {
    if (++this.#steps > MAX_STEPS || ++this.#depth > MAX_DEPTH) throw new NotMangled();
    const result = parse();
    this.#depth--;
    return result;
  }

  /** Text that is not too long. */
  bounded(text: string): string {
    if (text.length > MAX_OUTPUT) throw new NotMangled();
    return text;
  }
}
