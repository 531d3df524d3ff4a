/** Copies memory of a process into the core's file, run by run. */
import type { ProgramHeader } from "../../crash/elf/program-headers.ts";
import type { Mapping, Mappings } from "./memory-map.ts";

/** A stretch of the process's memory and where it goes in the core: within one window of the file. */
export interface Run {
  readonly vaddr: bigint;
  readonly offsetBytes: bigint;
  readonly length: number;
  /** What must be read of it; the rest was never touched and is zeros. */
  readonly pieces: readonly Piece[];
  /**
   * All of the pieces are in memory and mapped by this process alone. Only such pages may be read by pinning them, and on
   * the thread that the event loop needs: that neither waits for them nor makes the kernel copy them (rule 10).
   */
  readonly alone: boolean;
}

/** Bytes of a run, counted from its beginning. */
interface Piece {
  readonly at: number;
  length: number;
}

/** Reads 64-bit pagemap entries (one a page) for pages from `firstPage` on; fewer than asked means: unknown. */
type ReadPagemap = (entries: Uint32Array, firstPage: bigint, count: number) => Promise<number>;

export interface Sizes {
  /** The machine's page. */
  readonly pageBytes: number;
  /** Longest run, and the windows of the file that runs keep to: a multiple of the page. */
  readonly runBytes: number;
}

/**
 * Two runs in flight are the most memory that copying takes. File systems give large aligned writes large folios, which
 * is twice as fast as 1 MiB at a time; but for a small core the buffers' own page faults cost more than that.
 */
export const runBytesFor = (coreBytes: bigint): number => (coreBytes > 64n << 20n ? 4 << 20 : 512 << 10);

/** Untouched pages between touched ones that are cheaper to write as zeros than to go round. */
const GAP_PAGES = 16;
const ENTRIES = 1 << 16;
/** So long a stretch of pages that are the process's alone is a run of its own, and not read as the next page must be. */
const ALONE_PAGES = 128;
/** Upper words of pagemap entries: present (bit 63), swapped (62), a guard page (58, since 6.15), mapped once (56). */
const PRESENT = 0x80000000;
const SWAPPED = 0x40000000;
const TOUCHED = PRESENT | SWAPPED;
const GUARD = 1 << 26;
const EXCLUSIVE = 1 << 24;

/**
 * The stretches of the segments that must be read, in the core's order. Only pages of truly anonymous mappings that
 * pagemap shows neither present nor swapped are left out (proc_pid_pagemap(5)), which read as zeros, and guard pages
 * (MADV_GUARD_INSTALL; glibc puts them below stacks), which cannot be read at all: the kernel dumps them as zeros.
 */
export async function* runsOf(
  segments: Iterable<SegmentPlace>,
  mappings: Mappings,
  readPagemap: ReadPagemap,
  sizes: Sizes,
): AsyncGenerator<Run, void> {
  const entries = new Uint32Array(ENTRIES * 2);
  for (const { vaddr, fileBytes, offsetBytes } of joined(segments, asOneSegment)) {
    const end = vaddr + fileBytes;
    const toOffset = offsetBytes - vaddr;
    let at = vaddr;
    for (const mapping of joined(mappings.within(vaddr, end), asOneMapping)) {
      if (mapping.pages === "any") continue;
      const from = mapping.start > at ? mapping.start : at;
      const to = mapping.end < end ? mapping.end : end;
      yield* windows(at, from, toOffset, sizes.runBytes);
      if (mapping.pages === "anonymous") yield* touched({ from, to, toOffset }, entries, readPagemap, sizes);
      at = to;
    }
    yield* windows(at, end, toOffset, sizes.runBytes);
  }
}

type SegmentPlace = Pick<ProgramHeader, "vaddr" | "fileBytes" | "offsetBytes">;

/** Neighbours are looked at and read as one: a process may have 65,000 mappings of a page each. */
function* joined<T>(all: Iterable<T>, asOne: (last: T, next: T) => T | undefined): Generator<T, void> {
  let last: T | undefined;
  for (const next of all) {
    const one = last && asOne(last, next);
    if (last && !one) yield last;
    last = one ?? next;
  }
  if (last) yield last;
}

const asOneSegment = (last: SegmentPlace, next: SegmentPlace): SegmentPlace | undefined =>
  last.vaddr + last.fileBytes === next.vaddr && last.offsetBytes + last.fileBytes === next.offsetBytes
    ? { ...last, fileBytes: last.fileBytes + next.fileBytes }
    : undefined;

const asOneMapping = (last: Mapping, next: Mapping): Mapping | undefined =>
  last.end === next.start && last.pages === next.pages ? { ...last, end: next.end } : undefined;

/** All of [from, to), cut where the file's windows end. */
function* windows(from: bigint, to: bigint, toOffset: bigint, runBytes: number): Generator<Run, void> {
  const size = BigInt(runBytes);
  for (let at = from; at < to; ) {
    const next = ((at + toOffset) / size + 1n) * size - toOffset;
    const end = next < to ? next : to;
    const length = Number(end - at);
    yield { vaddr: at, offsetBytes: at + toOffset, length, pieces: [{ at: 0, length }], alone: false };
    at = end;
  }
}

interface Anonymous {
  readonly from: bigint;
  readonly to: bigint;
  readonly toOffset: bigint;
}

/** The touched stretches of an anonymous mapping, near ones joined. */
async function* touched(
  { from, to, toOffset }: Anonymous,
  entries: Uint32Array,
  readPagemap: ReadPagemap,
  { pageBytes, runBytes }: Sizes,
): AsyncGenerator<Run, void> {
  const stretch = new Stretch(Number(toOffset) / pageBytes, runBytes / pageBytes);
  const run = (): Run => stretch.end(BigInt(pageBytes), toOffset);
  const end = Number(to / BigInt(pageBytes));
  for (let first = Number(from / BigInt(pageBytes)); first < end; first += ENTRIES) {
    const count = Math.min(end - first, ENTRIES);
    const known = await readPagemap(entries, BigInt(first), count);
    for (let at = 0; at < count; at++) {
      const entry = at < known ? (entries[2 * at + 1] as number) : SWAPPED;
      if ((entry & (TOUCHED | GUARD)) === 0 || stretch.add(first + at, entry)) continue;
      if (!stretch.empty) yield run();
      if ((entry & GUARD) === 0) stretch.add(first + at, entry);
    }
  }
  if (!stretch.empty) yield run();
}

/** Pages on their way to be a run; in plain numbers, because there is a quarter of a million of them in a GB. */
class Stretch {
  #from = 0;
  #to = 0;
  #window = 0;
  #alone = true;
  #pieces: Piece[] = [];
  readonly #toFilePage: number;
  readonly #windowPages: number;

  constructor(toFilePage: number, windowPages: number) {
    this.#toFilePage = toFilePage;
    this.#windowPages = windowPages;
  }

  get empty(): boolean {
    return this.#to === this.#from;
  }

  /** Takes a touched page; false when it is far away, of another window, a guard, or would make a long stretch wait. */
  add(page: number, entry: number): boolean {
    if ((entry & GUARD) !== 0) return false;
    const window = Math.floor((page + this.#toFilePage) / this.#windowPages);
    const alone = (entry & PRESENT) !== 0 && (entry & EXCLUSIVE) !== 0;
    if (this.empty) this.#begin(page, window);
    else if (page - this.#to > GAP_PAGES || window !== this.#window) return false;
    else if (!alone && this.#alone && this.#to - this.#from > ALONE_PAGES) return false;
    this.#alone &&= alone;
    const last = this.#pieces.at(-1);
    if (last && page === this.#to) last.length++;
    else this.#pieces.push({ at: page - this.#from, length: 1 });
    this.#to = page + 1;
    return true;
  }

  #begin(page: number, window: number): void {
    this.#from = this.#to = page;
    this.#window = window;
    this.#alone = true;
    this.#pieces = [];
  }

  /** The run, and an empty stretch again. */
  end(pageBytes: bigint, toOffset: bigint): Run {
    const [vaddr, bytes] = [BigInt(this.#from) * pageBytes, Number(pageBytes)];
    const pieces = this.#pieces.map(({ at, length }) => ({ at: at * bytes, length: length * bytes }));
    const length = (this.#to - this.#from) * bytes;
    this.#to = this.#from;
    return { vaddr, offsetBytes: vaddr + toOffset, length, pieces, alone: this.#alone };
  }
}
