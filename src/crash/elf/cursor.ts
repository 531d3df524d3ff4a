/**
 * Reads the encodings of DWARF (version 5, section 7) and of .eh_frame (LSB 5.0, 10.5 and 10.6) one after the other. What lies
 * beyond the bytes throws a RangeError: the caller of a whole step catches it.
 */

/** Pointer encodings, DW_EH_PE_*: the low half says the format, the high half what it is relative to. */
const [ABSPTR, ULEB, UDATA2, UDATA4, UDATA8, SIGNED, SLEB] = [0x00, 0x01, 0x02, 0x03, 0x04, 0x08, 0x09];
const [PCREL, TEXTREL, DATAREL, FUNCREL, INDIRECT] = [0x10, 0x20, 0x30, 0x40, 0x80];
export const OMIT = 0xff;
/** LEB128 of 64 bits takes 10 bytes; linkers pad some. */
const MAX_LEB_BYTES = 16;

export interface Bases {
  readonly text?: number;
  readonly data?: number;
  readonly func?: number;
}

export class Cursor {
  readonly bytes: Uint8Array;
  readonly littleEndian: boolean;
  readonly wordBytes: 4 | 8;
  /** The address of the first byte, for what is relative to itself. */
  readonly address: number;
  readonly #view: DataView;
  at: number;

  constructor(bytes: Uint8Array, abi: { littleEndian: boolean; bits: 32 | 64 }, address = 0, at = 0) {
    this.bytes = bytes;
    this.littleEndian = abi.littleEndian;
    this.wordBytes = abi.bits === 64 ? 8 : 4;
    this.address = address;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }

  get ended(): boolean {
    return this.at >= this.bytes.length;
  }

  /** Steps over so many bytes. @returns where they begin */
  #next(bytes: number): number {
    this.at += bytes;
    return this.at - bytes;
  }

  u8(): number {
    return this.#view.getUint8(this.at++);
  }

  u16(): number {
    return this.#view.getUint16(this.#next(2), this.littleEndian);
  }

  u32(): number {
    return this.#view.getUint32(this.#next(4), this.littleEndian);
  }

  i32(): number {
    return this.u32() | 0;
  }

  big(): bigint {
    return this.#view.getBigUint64(this.#next(8), this.littleEndian);
  }

  /** @returns the nearest double: exact for what is an address or a length in a file */
  u64(): number {
    return Number(this.big());
  }

  word(): number {
    return this.wordBytes === 8 ? this.u64() : this.u32();
  }

  /** An unsigned number of so many bytes, 1 to 8. */
  sized(bytes: number): bigint {
    let value = 0n;
    for (let i = 0; i < bytes; i++) {
      const byte = BigInt(this.u8());
      value = this.littleEndian ? value | (byte << BigInt(8 * i)) : (value << 8n) | byte;
    }
    return value;
  }

  uleb(): number {
    let [value, scale] = [0, 1];
    for (let i = 0; i < MAX_LEB_BYTES; i++, scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a number of too many bytes");
  }

  sleb(): number {
    let [value, scale] = [0, 1];
    for (let i = 0; i < MAX_LEB_BYTES; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) return byte & 0x40 ? value - scale : value;
    }
    throw new RangeError("a number of too many bytes");
  }

  /** LEB128 with all its 64 bits. */
  bigLeb(signed: boolean): bigint {
    let [value, shift] = [0n, 0n];
    for (let i = 0; i < MAX_LEB_BYTES; i++) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (byte < 0x80) return signed && byte & 0x40 ? value - (1n << shift) : value;
    }
    throw new RangeError("a number of too many bytes");
  }

  /** A block of so many bytes. */
  take(bytes: number): Uint8Array {
    if (bytes < 0 || this.at + bytes > this.bytes.length) throw new RangeError("a block beyond its section");
    const from = this.#next(bytes);
    return this.bytes.subarray(from, from + bytes);
  }

  /** Up to the next NUL, which is skipped. */
  text(): Uint8Array {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0) throw new RangeError("text without an end");
    const text = this.bytes.subarray(this.at, end);
    this.at = end + 1;
    return text;
  }

  /** A pointer in one of .eh_frame's encodings, as an address of the module. An indirect one is not followed. */
  pointer(encoding: number, bases: Bases = {}): number {
    const here = this.address + this.at;
    const raw = this.#raw(encoding & 0x0f);
    const base = this.#base(encoding & 0x70 & ~INDIRECT, here, bases);
    const sum = raw + base;
    return this.wordBytes === 4 ? sum >>> 0 : sum < 0 ? sum + 2 ** 64 : sum;
  }

  #raw(format: number): number {
    switch (format) {
      case ABSPTR:
        return this.word();
      case ULEB:
        return this.uleb();
      case UDATA2:
        return this.u16();
      case UDATA4:
        return this.u32();
      case UDATA8:
        return this.u64();
      case SIGNED:
        return this.wordBytes === 8 ? Number(BigInt.asIntN(64, this.big())) : this.i32();
      case SLEB:
        return this.sleb();
      case SIGNED | UDATA2:
        return (this.u16() << 16) >> 16;
      case SIGNED | UDATA4:
        return this.i32();
      case SIGNED | UDATA8:
        return Number(BigInt.asIntN(64, this.big()));
      default:
        throw new RangeError("an unknown encoding of pointers");
    }
  }

  #base(relativeTo: number, here: number, bases: Bases): number {
    const base = { 0: 0, [PCREL]: here, [TEXTREL]: bases.text, [DATAREL]: bases.data, [FUNCREL]: bases.func }[
      relativeTo
    ];
    if (base === undefined) throw new RangeError("a pointer relative to something unknown");
    return base;
  }
}
