/** LZMA's symbols: literals and copies of what came out before (LZMA specification, Igor Pavlov, public domain). */
import { probabilities, type RangeDecoder } from "./range.ts";

const STATES = 12;
const MIN_MATCH = 2;
const LENGTH_STATES = 4;
/** Lengths 2 to 9, 10 to 17, 18 to 273: where the three trees of a length begin in its table. */
const [LOW, MIDDLE, HIGH] = [2, 2 + (16 << 3), 2 + 2 * (16 << 3)];
const LENGTH_TABLE = HIGH + 256;

/** Where bytes go, and what may be copied. */
export class Output {
  readonly bytes: Uint8Array;
  at = 0;
  /** Nothing before it may be copied. */
  from = 0;
  /** How often what was learnt was forgotten. */
  resets = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  back(distance: number): number {
    return this.bytes[this.at - distance] ?? 0;
  }

  copy(distance: number, length: number): void {
    if (distance > this.at - this.from || length > this.left) throw new RangeError("LZMA copies what is not there");
    for (let i = 0; i < length; i++, this.at++) this.bytes[this.at] = this.bytes[this.at - distance] ?? 0;
  }
}

/** What is learnt from one chunk to the next. */
export class Lzma {
  readonly properties: number;
  readonly #literalBits: number;
  readonly #literalMask: number;
  readonly #positionMask: number;
  readonly #literal: Uint16Array;
  readonly #isMatch = probabilities(STATES << 4);
  readonly #isRepeat = probabilities(STATES);
  readonly #isRepeat0 = probabilities(STATES);
  readonly #isRepeat1 = probabilities(STATES);
  readonly #isRepeat2 = probabilities(STATES);
  readonly #isLongRepeat = probabilities(STATES << 4);
  readonly #slots = probabilities(LENGTH_STATES << 6);
  readonly #special = probabilities(128);
  readonly #align = probabilities(16);
  readonly #lengths = probabilities(LENGTH_TABLE);
  readonly #repeatLengths = probabilities(LENGTH_TABLE);
  #state = 0;
  /** Distances of the latest copies, the newest first. */
  #latest: [number, number, number, number] = [1, 1, 1, 1];

  /** @param properties (pb * 5 + lp) * 9 + lc; LZMA2 has lc + lp ≤ 4 */
  constructor(properties: number) {
    this.properties = properties;
    const [lc, rest] = [properties % 9, Math.floor(properties / 9)];
    const [lp, pb] = [rest % 5, Math.floor(rest / 5)];
    if (lc + lp > 4 || pb > 4) throw new RangeError("unknown properties of LZMA");
    this.#literalBits = lc;
    this.#literalMask = (1 << lp) - 1;
    this.#positionMask = (1 << pb) - 1;
    this.#literal = probabilities(0x300 << (lc + lp));
  }

  /** Unpacks until `end`: each turn adds one byte at least. */
  unpack(range: RangeDecoder, out: Output, end: number): void {
    while (out.at < end) {
      const position = out.at & this.#positionMask;
      if (range.bit(this.#isMatch, (this.#state << 4) + position) === 0) this.#oneLiteral(range, out);
      else this.#oneCopy(range, out, position);
    }
    if (out.at > end) throw new RangeError("LZMA beyond its chunk");
  }

  #oneLiteral(range: RangeDecoder, out: Output): void {
    const before = out.at > out.from ? out.back(1) : 0;
    const context = ((out.at & this.#literalMask) << this.#literalBits) + (before >> (8 - this.#literalBits));
    const table = this.#literal;
    const from = 0x300 * context;
    let node = 1;
    if (this.#state >= 7) {
      if (this.#latest[0] > out.at - out.from) throw new RangeError("LZMA copies what is not there");
      // After a copy: the byte that would have come next tells what this one is not.
      for (let other = out.back(this.#latest[0]); node < 0x100; ) {
        const guess = (other >> 7) & 1;
        other <<= 1;
        const bit = range.bit(table, from + ((1 + guess) << 8) + node);
        node = (node << 1) | bit;
        if (bit !== guess) break;
      }
    }
    while (node < 0x100) node = (node << 1) | range.bit(table, from + node);
    out.bytes[out.at++] = node;
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
  }

  #oneCopy(range: RangeDecoder, out: Output, position: number): void {
    const isEarly = this.#state < 7;
    let length = 1;
    if (range.bit(this.#isRepeat, this.#state) === 0) {
      length = this.#length(range, this.#lengths, position);
      const [a, b, c] = this.#latest;
      this.#latest = [this.#distance(range, length), a, b, c];
      this.#state = isEarly ? 7 : 10;
    } else if (this.#isOneByte(range, position)) this.#state = isEarly ? 9 : 11;
    else {
      length = this.#length(range, this.#repeatLengths, position);
      this.#state = isEarly ? 8 : 11;
    }
    out.copy(this.#latest[0], length);
  }

  /** Which of the latest distances comes again, and whether for one byte only. */
  #isOneByte(range: RangeDecoder, position: number): boolean {
    const state = this.#state;
    const [a, b, c, d] = this.#latest;
    if (range.bit(this.#isRepeat0, state) === 0) return range.bit(this.#isLongRepeat, (state << 4) + position) === 0;
    if (range.bit(this.#isRepeat1, state) === 0) this.#latest = [b, a, c, d];
    else this.#latest = range.bit(this.#isRepeat2, state) === 0 ? [c, a, b, d] : [d, a, b, c];
    return false;
  }

  #length(range: RangeDecoder, table: Uint16Array, position: number): number {
    if (range.bit(table, 0) === 0) return MIN_MATCH + range.tree(table, LOW + (position << 3), 3);
    if (range.bit(table, 1) === 0) return MIN_MATCH + 8 + range.tree(table, MIDDLE + (position << 3), 3);
    return MIN_MATCH + 16 + range.tree(table, HIGH, 8);
  }

  #distance(range: RangeDecoder, length: number): number {
    const state = Math.min(length - MIN_MATCH, LENGTH_STATES - 1);
    const slot = range.tree(this.#slots, state << 6, 6);
    if (slot < 4) return slot + 1;
    const bits = (slot >> 1) - 1;
    const base = (2 | (slot & 1)) * 2 ** bits;
    if (slot < 14) return base + range.reverseTree(this.#special, base - slot, bits) + 1;
    return base + range.direct(bits - 4) * 16 + range.reverseTree(this.#align, 0, 4) + 1;
  }
}
