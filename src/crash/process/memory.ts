/**
 * A process's memory: what the core holds, else the mapped file, which has what the kernel left out of the core (code, read-only
 * data). Addresses are bigint, because a hostile register may hold any.
 */
import type { ReadAt } from "../elf/bytes.ts";
import { type ProgramHeader, PT_LOAD } from "../elf/program-headers.ts";
import { Pages } from "./pages.ts";

const NOTHING = new Uint8Array();
/** Twice the largest vm.max_map_count that a distribution sets is two million: 32 bytes each for so many are held. */
const MAX_SEGMENTS = 1 << 17;
const EXECUTABLE = 1;

/** Bytes at an address; fewer, or none, where there are none. */
export type AtAddress = (address: bigint, length: number) => Uint8Array;

interface MemorySegment {
  readonly start: bigint;
  readonly end: bigint;
  readonly executable: boolean;
  /** Bytes that the core holds of it. */
  readonly held: bigint;
}

/** The core's table of memory, by address. */
export class Segments {
  readonly #starts: BigUint64Array;
  readonly #ends: BigUint64Array;
  readonly #offsets: BigUint64Array;
  readonly #held: BigUint64Array;
  readonly #flags: Uint8Array;
  readonly count: number;

  constructor(headers: Iterable<ProgramHeader>) {
    const all: ProgramHeader[] = [];
    for (const header of headers) {
      if (header.type !== PT_LOAD || header.memBytes === 0n || header.vaddr + header.memBytes > 2n ** 64n - 1n)
        continue;
      if (all.push(header) === MAX_SEGMENTS) break;
    }
    // kernel.core_sort_vma (6.15) orders by size
    all.sort((a, b) => (a.vaddr < b.vaddr ? -1 : a.vaddr > b.vaddr ? 1 : 0));
    this.count = all.length;
    this.#starts = BigUint64Array.from(all, ({ vaddr }) => vaddr);
    this.#ends = BigUint64Array.from(all, ({ vaddr, memBytes }) => vaddr + memBytes);
    this.#offsets = BigUint64Array.from(all, ({ offsetBytes }) => offsetBytes);
    this.#held = BigUint64Array.from(all, ({ fileBytes, memBytes }) => (fileBytes < memBytes ? fileBytes : memBytes));
    this.#flags = Uint8Array.from(all, ({ flags }) => flags & 7);
  }

  /** Index of the segment that holds the address, -1: none. */
  indexOf(address: bigint): number {
    const last = this.#upTo(address) - 1;
    return last >= 0 && address < (this.#ends[last] ?? 0n) ? last : -1;
  }

  /** The first segment that begins above the address. */
  after(address: bigint): MemorySegment | undefined {
    return this.get(this.#upTo(address));
  }

  /** How many begin at or below the address. */
  #upTo(address: bigint): number {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] ?? 0n) <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  at(address: bigint): MemorySegment | undefined {
    return this.get(this.indexOf(address));
  }

  get(index: number): MemorySegment | undefined {
    const start = this.#starts[index];
    if (start === undefined) return undefined;
    return {
      start,
      end: this.#ends[index] ?? start,
      executable: ((this.#flags[index] ?? 0) & EXECUTABLE) !== 0,
      held: this.#held[index] ?? 0n,
    };
  }

  /** The core's bytes at an address. */
  reader(core: ReadAt): AtAddress {
    const pages = new Pages(core);
    return (address, length) => {
      const index = this.indexOf(address);
      if (index < 0) return NOTHING;
      const within = address - (this.#starts[index] ?? 0n);
      const left = (this.#held[index] ?? 0n) - within;
      if (left <= 0n) return NOTHING;
      const offset = (this.#offsets[index] ?? 0n) + within;
      if (offset > BigInt(Number.MAX_SAFE_INTEGER)) return NOTHING;
      return pages.bytes(Number(offset), left < BigInt(length) ? Number(left) : length);
    };
  }
}

/** Words of a process's memory. */
export class Memory {
  readonly #sources: AtAddress[];
  readonly #word: 4 | 8;

  /** @param sources asked in this order; the first that has all the bytes answers */
  constructor(word: 4 | 8, ...sources: AtAddress[]) {
    this.#word = word;
    this.#sources = sources;
  }

  /** Asks `source` for what the others do not have. */
  add(source: AtAddress): void {
    this.#sources.push(source);
  }

  /** All `length` bytes, or undefined. */
  bytes(address: bigint, length: number): Uint8Array | undefined {
    for (const source of this.#sources) {
      const bytes = source(address, length);
      if (bytes.length === length) return bytes;
    }
    return undefined;
  }

  /** As many of them as one source has. */
  some(address: bigint, length: number): Uint8Array {
    let most: Uint8Array = NOTHING;
    for (const source of this.#sources) {
      const bytes = source(address, length);
      if (bytes.length > most.length) most = bytes;
    }
    return most;
  }

  word(address: bigint): bigint | undefined {
    return this.number(address, this.#word);
  }

  /** A little-endian number of 1, 2, 4 or 8 bytes. */
  number(address: bigint, length: number): bigint | undefined {
    const bytes = this.bytes(address, length);
    if (!bytes) return undefined;
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
    return value;
  }

  /** A C string of at most `max` bytes. */
  text(address: bigint, max: number): Uint8Array | undefined {
    const bytes = this.some(address, max);
    const end = bytes.indexOf(0);
    return end < 0 ? undefined : bytes.subarray(0, end);
  }
}
