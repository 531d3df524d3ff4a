/**
 * The xz format as .gnu_debugdata has it (xz-file-format 1.2; LZMA2 as in the LZMA SDK's specification): one filter, LZMA2. Checksums are
 * not looked at: a wrong symbol table is as likely to come from its program.
 */

const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const LZMA2 = 0x21;

/** @returns undefined where it is no such file, is cut short, or holds more than `max` bytes */
export function unxz(bytes: Uint8Array, max: number): Uint8Array | undefined {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) return undefined;
  const headerBytes = ((bytes[12] ?? 0) + 1) * 4;
  let at = 14; // after the stream's header, the block header's size and its flags
  const flags = bytes[13] ?? 0;
  if ((flags & 3) !== 0) return undefined; // more than one filter
  for (const bit of [0x40, 0x80]) if (flags & bit) while (((bytes[at++] ?? 0) & 0x80) !== 0 && at < bytes.length);
  if (bytes[at] !== LZMA2) return undefined;
  try {
    return new Lzma2(bytes, 12 + headerBytes, max).all();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

const PROB_INIT = 1024;
const [STATES, POSITION_STATES] = [12, 16];

/** Bits of one tree or list of probabilities. */
const probabilities = (count: number): Uint16Array => new Uint16Array(count).fill(PROB_INIT);

interface LengthModel {
  readonly choice: Uint16Array;
  readonly low: Uint16Array[];
  readonly middle: Uint16Array[];
  readonly high: Uint16Array;
}

const lengthModel = (): LengthModel => ({
  choice: probabilities(2),
  low: Array.from({ length: POSITION_STATES }, () => probabilities(8)),
  middle: Array.from({ length: POSITION_STATES }, () => probabilities(8)),
  high: probabilities(256),
});

const modelOf = (literalBits: number) => ({
  isMatch: probabilities(STATES * POSITION_STATES),
  isRep: probabilities(STATES),
  isRep0: probabilities(STATES),
  isRep1: probabilities(STATES),
  isRep2: probabilities(STATES),
  isRep0Long: probabilities(STATES * POSITION_STATES),
  literal: probabilities(0x300 << literalBits),
  slots: Array.from({ length: 4 }, () => probabilities(64)),
  special: probabilities(128),
  align: probabilities(16),
  matchLength: lengthModel(),
  repLength: lengthModel(),
});

class Lzma2 {
  readonly #in: Uint8Array;
  readonly #max: number;
  #at: number;
  #out: Uint8Array;
  #length = 0;
  #range = 0;
  #code = 0;
  #model = modelOf(0);
  #lc = 0;
  #lp = 0;
  #pb = 0;
  #state = 0;
  #reps = [0, 0, 0, 0];

  constructor(bytes: Uint8Array, at: number, max: number) {
    this.#in = bytes;
    this.#at = at;
    this.#max = max;
    this.#out = new Uint8Array(Math.min(max, Math.max(65536, bytes.length * 4)));
  }

  all(): Uint8Array {
    for (;;) {
      const control = this.#byte();
      if (control === 0) return this.#out.subarray(0, this.#length);
      if (control < 3) this.#stored(this.#u16() + 1);
      else if (control >= 0x80) this.#packed(control);
      else throw new RangeError("an unknown chunk");
    }
  }

  #byte(): number {
    const byte = this.#in[this.#at++];
    if (byte === undefined) throw new RangeError("cut short");
    return byte;
  }

  #u16(): number {
    return this.#byte() * 256 + this.#byte();
  }

  /** Room for so many bytes more. */
  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed > this.#max) throw new RangeError("too large");
    if (needed <= this.#out.length) return;
    const larger = new Uint8Array(Math.min(this.#max, Math.max(needed, this.#out.length * 2)));
    larger.set(this.#out.subarray(0, this.#length));
    this.#out = larger;
  }

  #stored(bytes: number): void {
    this.#reserve(bytes);
    for (let i = 0; i < bytes; i++) this.#out[this.#length++] = this.#byte();
  }

  #packed(control: number): void {
    const bytes = ((control & 0x1f) << 16) + this.#u16() + 1;
    const end = this.#u16() + 1;
    const reset = (control >> 5) & 3;
    if (reset >= 2) this.#properties(this.#byte());
    else if (reset === 1) this.#reset();
    const last = this.#at + end;
    this.#byte(); // the range coder's first byte is 0
    this.#range = 0xffffffff;
    this.#code = ((this.#byte() << 24) | (this.#byte() << 16) | (this.#byte() << 8) | this.#byte()) >>> 0;
    this.#reserve(bytes);
    for (const until = this.#length + bytes; this.#length < until; ) this.#symbol(until);
    this.#at = last;
  }

  #properties(byte: number): void {
    if (byte >= 225) throw new RangeError("unknown properties");
    this.#lc = byte % 9;
    this.#lp = Math.floor(byte / 9) % 5;
    this.#pb = Math.floor(byte / 45);
    if (this.#lc + this.#lp > 4) throw new RangeError("unknown properties");
    this.#reset();
  }

  #reset(): void {
    this.#model = modelOf(this.#lc + this.#lp);
    this.#state = 0;
    this.#reps = [0, 0, 0, 0];
  }

  #bit(model: Uint16Array, index: number): number {
    const probability = model[index];
    if (probability === undefined) throw new RangeError("beyond its model");
    const bound = (this.#range >>> 11) * probability;
    const isOne = this.#code >= bound;
    if (isOne) {
      this.#range = (this.#range - bound) >>> 0;
      this.#code = (this.#code - bound) >>> 0;
      model[index] = probability - (probability >> 5);
    } else {
      this.#range = bound;
      model[index] = probability + ((2048 - probability) >> 5);
    }
    this.#normalize();
    return isOne ? 1 : 0;
  }

  #normalize(): void {
    if (this.#range >= 0x1000000) return;
    this.#range = (this.#range << 8) >>> 0;
    this.#code = ((this.#code << 8) | this.#byte()) >>> 0;
  }

  #tree(model: Uint16Array, bits: number): number {
    let node = 1;
    for (let i = 0; i < bits; i++) node = node * 2 + this.#bit(model, node);
    return node - (1 << bits);
  }

  #reversed(model: Uint16Array, from: number, bits: number): number {
    let [node, value] = [1, 0];
    for (let i = 0; i < bits; i++) {
      const bit = this.#bit(model, from + node);
      node = node * 2 + bit;
      value |= bit << i;
    }
    return value;
  }

  #symbol(until: number): void {
    const position = this.#length & ((1 << this.#pb) - 1);
    const model = this.#model;
    const index = this.#state * POSITION_STATES + position;
    if (this.#bit(model.isMatch, index) === 0) {
      this.#literal();
      return;
    }
    let length: number;
    if (this.#bit(model.isRep, this.#state) === 0) {
      length = this.#lengthOf(model.matchLength, position);
      this.#reps = [this.#distance(length), this.#reps[0] ?? 0, this.#reps[1] ?? 0, this.#reps[2] ?? 0];
      this.#state = this.#state < 7 ? 7 : 10;
    } else if (this.#isShort(index)) length = 1;
    else {
      length = this.#lengthOf(model.repLength, position);
      this.#state = this.#state < 7 ? 8 : 11;
    }
    this.#copy(length, until);
  }

  /** Chooses among the last distances. @returns whether one byte is repeated */
  #isShort(index: number): boolean {
    const { isRep0, isRep0Long, isRep1, isRep2 } = this.#model;
    const [a = 0, b = 0, c = 0, d = 0] = this.#reps;
    if (this.#bit(isRep0, this.#state) === 0) {
      if (this.#bit(isRep0Long, index) === 1) return false;
      this.#state = this.#state < 7 ? 9 : 11;
      return true;
    }
    if (this.#bit(isRep1, this.#state) === 0) this.#reps = [b, a, c, d];
    else if (this.#bit(isRep2, this.#state) === 0) this.#reps = [c, a, b, d];
    else this.#reps = [d, a, b, c];
    return false;
  }

  #copy(length: number, until: number): void {
    const distance = (this.#reps[0] ?? 0) + 1;
    if (distance > this.#length || this.#length + length > until) throw new RangeError("a copy from nowhere");
    for (let i = 0; i < length; i++, this.#length++) this.#out[this.#length] = this.#out[this.#length - distance] ?? 0;
  }

  #literal(): void {
    const previous = this.#length > 0 ? (this.#out[this.#length - 1] ?? 0) : 0;
    const high = ((this.#length & ((1 << this.#lp) - 1)) << this.#lc) + (previous >> (8 - this.#lc));
    const base = 0x300 * high;
    let node = 1;
    if (this.#state >= 7) {
      let match = this.#out[this.#length - (this.#reps[0] ?? 0) - 1] ?? 0;
      while (node < 0x100) {
        const matched = (match >> 7) & 1;
        match <<= 1;
        const bit = this.#bit(this.#model.literal, base + ((1 + matched) << 8) + node);
        node = node * 2 + bit;
        if (bit !== matched) break;
      }
    }
    while (node < 0x100) node = node * 2 + this.#bit(this.#model.literal, base + node);
    this.#out[this.#length++] = node & 0xff;
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
  }

  #lengthOf({ choice, low, middle, high }: LengthModel, position: number): number {
    if (this.#bit(choice, 0) === 0) return 2 + this.#tree(low[position] ?? high, 3);
    if (this.#bit(choice, 1) === 0) return 10 + this.#tree(middle[position] ?? high, 3);
    return 18 + this.#tree(high, 8);
  }

  #distance(length: number): number {
    const slot = this.#tree(this.#model.slots[Math.min(length - 2, 3)] ?? this.#model.align, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = ((2 | (slot & 1)) << bits) >>> 0;
    if (slot < 14) return base + this.#reversed(this.#model.special, base - slot, bits);
    let direct = 0;
    for (let i = 0; i < bits - 4; i++) {
      this.#range >>>= 1;
      const bit = this.#code >= this.#range ? 1 : 0;
      if (bit) this.#code = (this.#code - this.#range) >>> 0;
      direct = direct * 2 + bit;
      this.#normalize();
    }
    return base + direct * 16 + this.#reversed(this.#model.align, 0, 4);
  }
}
