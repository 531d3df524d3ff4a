/**
 * A process's memory: what the core holds, else the mapped file, which has what the kernel left out of the core (code, read-only
 * data). Addresses are bigint, because a hostile register may hold any.
 */
import type { ReadAt } from "../elf/bytes.ts";
import type { CoreLayout } from "../elf/layout.ts";
import { type ProgramHeader, PT_LOAD } from "../elf/program-headers.ts";
import { Pages } from "./pages.ts";

const NOTHING = new Uint8Array();
/** The largest vm.max_map_count that a distribution sets; 33 bytes are held of each. */
const MAX_SEGMENTS = 1 << 20;
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

/** The core's table of memory, by address, in columns. */
export class Segments {
  #starts: BigUint64Array;
  #ends: BigUint64Array;
  #offsets: BigUint64Array;
  #held: BigUint64Array;
  #flags: Uint8Array;
  #count = 0;

  constructor({ headers, count }: Pick<CoreLayout, "headers" | "count">) {
    const most = Math.min(count, MAX_SEGMENTS);
    const column = () => new BigUint64Array(most);
    [this.#starts, this.#ends, this.#offsets, this.#held] = [column(), column(), column(), column()];
    this.#flags = new Uint8Array(most);
    for (const header of headers) if (this.#count < most) this.#add(header);
    // kernel.core_sort_vma (6.15) orders by size
    if (this.#starts.some((start, at) => at < this.#count && start < (this.#starts[at - 1] ?? 0n))) this.#sort();
  }

  #add({ type, vaddr, memBytes, fileBytes, offsetBytes, flags }: ProgramHeader): void {
    if (type !== PT_LOAD || memBytes === 0n || vaddr + memBytes > 2n ** 64n - 1n) return;
    const at = this.#count++;
    this.#starts[at] = vaddr;
    this.#ends[at] = vaddr + memBytes;
    this.#offsets[at] = offsetBytes;
    this.#held[at] = fileBytes < memBytes ? fileBytes : memBytes;
    this.#flags[at] = flags & 7;
  }

  #sort(): void {
    const starts = this.#starts;
    const order = Uint32Array.from({ length: this.#count }, (_, at) => at);
    order.sort((a, b) => ((starts[a] ?? 0n) < (starts[b] ?? 0n) ? -1 : 1));
    const sorted = (column: BigUint64Array) => BigUint64Array.from(order, (at) => column[at] ?? 0n);
    [this.#starts, this.#ends, this.#offsets, this.#held] = [
      sorted(this.#starts),
      sorted(this.#ends),
      sorted(this.#offsets),
      sorted(this.#held),
    ];
    this.#flags = this.#flags.map((_, at) => this.#flags[order[at] ?? 0] ?? 0);
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
    let [low, high] = [0, this.#count];
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
    const start = index < this.#count ? this.#starts[index] : undefined;
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
