/**
 * The range decoder of LZMA: bits with learnt probabilities out of bytes. Each takes a constant number of steps; past the end of its
 * bytes a RangeError says so. After the LZMA specification (Igor Pavlov, public domain).
 */

/** Probabilities are 11 bits; all begin at one half. */
const [BITS, HALF, MOVE] = [11, 1024, 5];
/** Below it the range takes the next byte in. */
const TOP = 2 ** 24;

/** `count` probabilities that have learnt nothing. */
export const probabilities = (count: number): Uint16Array => new Uint16Array(count).fill(HALF);

export class RangeDecoder {
  readonly #bytes: Uint8Array;
  #at: number;
  #range = 0xffffffff;
  #code: number;

  /** @param bytes of one LZMA chunk */
  constructor(bytes: Uint8Array) {
    if (bytes.length < 5) throw new RangeError("too few bytes for LZMA");
    this.#bytes = bytes;
    this.#code = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
    this.#at = 5;
  }

  bit(table: Uint16Array, index: number): 0 | 1 {
    const chance = table[index] ?? HALF;
    const bound = (this.#range >>> BITS) * chance;
    const isOne = this.#code >= bound;
    if (isOne) {
      this.#range -= bound;
      this.#code -= bound;
      table[index] = chance - (chance >>> MOVE);
    } else {
      this.#range = bound;
      table[index] = chance + ((2048 - chance) >>> MOVE);
    }
    this.#fill();
    return isOne ? 1 : 0;
  }

  /** Bits that are as often 0 as 1. */
  direct(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      this.#range >>>= 1;
      const isOne = this.#code >= this.#range;
      if (isOne) this.#code -= this.#range;
      value = (value << 1) | (isOne ? 1 : 0);
      this.#fill();
    }
    return value >>> 0;
  }

  /** A number of `count` bits, the highest first, whose chances depend on those before. */
  tree(table: Uint16Array, from: number, count: number): number {
    let node = 1;
    for (let i = 0; i < count; i++) node = (node << 1) | this.bit(table, from + node);
    return node - (1 << count);
  }

  /** The same, the lowest bit first. */
  reverseTree(table: Uint16Array, from: number, count: number): number {
    let [node, value] = [1, 0];
    for (let i = 0; i < count; i++) {
      const bit = this.bit(table, from + node);
      node = (node << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  #fill(): void {
    if (this.#range >= TOP) return;
    if (this.#at >= this.#bytes.length) throw new RangeError("LZMA beyond its bytes");
    this.#range = (this.#range << 8) >>> 0;
    this.#code = ((this.#code << 8) | (this.#bytes[this.#at++] ?? 0)) >>> 0;
  }
}
