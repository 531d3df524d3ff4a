import type { Segment } from "../elf/segments.ts";
import { type Mapping, mappingsIn } from "./memory-map.ts";

/** A stretch of the process's memory and where it goes in the core: at most RUN_BYTES, of one window of the file. */
export interface Run {
  readonly vaddr: bigint;
  readonly offsetBytes: bigint;
  length: number;
  /**
   * Its touched parts, when all of those are in memory now: reading them cannot wait for anybody, and the rest is zeros.
   * Undefined when reading may wait; then all of it is read.
   */
  present: Piece[] | undefined;
}

/** Bytes of a run, counted from its beginning. */
export interface Piece {
  readonly at: number;
  length: number;
}

/** Reads 64-bit pagemap entries (one a page) for pages from `firstPage` on; fewer than asked means: unknown. */
export type ReadPagemap = (entries: Uint32Array, firstPage: bigint, count: number) => Promise<number>;

/**
 * Longest run, and the windows of the file that runs keep to: two of them in flight are the most memory that copying
 * takes. File systems give large aligned writes large folios, which is twice as fast as 1 MiB at a time.
 */
export const RUN_BYTES = 4 << 20;
/** Untouched pages between touched ones that are cheaper to write as zeros than to go round. */
const GAP_PAGES = 16;
const ENTRIES = 1 << 16;
/** Upper words of pagemap entries: present (bit 63), swapped (62); a guard page (58, since 6.15). */
const PRESENT = 0x80000000;
const SWAPPED = 0x40000000;
const TOUCHED = PRESENT | SWAPPED;
const GUARD = 1 << 26;

/**
 * The stretches of the segments that must be read, in the core's order. Only pages of truly anonymous mappings that
 * pagemap shows neither present nor swapped are left out (proc_pid_pagemap(5)), which read as zeros, and guard pages
 * (MADV_GUARD_INSTALL; glibc puts them below stacks), which cannot be read at all: the kernel dumps them as zeros.
 */
export async function* runsOf(
  segments: readonly Segment[],
  mappings: readonly Mapping[],
  readPagemap: ReadPagemap,
  pageBytes: number,
): AsyncGenerator<Run, void> {
  const entries = new Uint32Array(ENTRIES * 2);
  for (const { vaddr, fileBytes, offsetBytes } of segments) {
    const end = vaddr + fileBytes;
    const toOffset = offsetBytes - vaddr;
    let at = vaddr;
    for (const mapping of mappingsIn(mappings, vaddr, end)) {
      if (mapping.pages === "any") continue;
      const from = mapping.start > at ? mapping.start : at;
      const to = mapping.end < end ? mapping.end : end;
      yield* windows(at, from, toOffset);
      if (mapping.pages === "anonymous")
        yield* touched({ from, to, toOffset }, entries, readPagemap, BigInt(pageBytes));
      at = to;
    }
    yield* windows(at, end, toOffset);
  }
}

const windowOf = (offsetBytes: bigint): bigint => offsetBytes / BigInt(RUN_BYTES);

/** All of [from, to), cut where the file's windows end. */
function* windows(from: bigint, to: bigint, toOffset: bigint): Generator<Run, void> {
  for (let at = from; at < to; ) {
    const next = (windowOf(at + toOffset) + 1n) * BigInt(RUN_BYTES) - toOffset;
    const end = next < to ? next : to;
    yield { vaddr: at, offsetBytes: at + toOffset, length: Number(end - at), present: undefined };
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
  pageBytes: bigint,
): AsyncGenerator<Run, void> {
  let open: Run | undefined;
  for (let first = from / pageBytes; first * pageBytes < to; first += BigInt(ENTRIES)) {
    const left = (to - first * pageBytes) / pageBytes;
    const count = left < BigInt(ENTRIES) ? Number(left) : ENTRIES;
    const known = await readPagemap(entries, first, count);
    for (let at = 0; at < count; at++) {
      const page = at < known ? (entries[2 * at + 1] as number) : SWAPPED;
      if ((page & (TOUCHED | GUARD)) === 0) continue;
      const vaddr = (first + BigInt(at)) * pageBytes;
      const present = (page & PRESENT) !== 0;
      if (open && (page & GUARD) === 0 && joins(open, vaddr, present, Number(pageBytes))) continue;
      if (open) yield open;
      open = (page & GUARD) === 0 ? runOf(vaddr, vaddr + toOffset, present, Number(pageBytes)) : undefined;
    }
  }
  if (open) yield open;
}

const runOf = (vaddr: bigint, offsetBytes: bigint, present: boolean, length: number): Run => ({
  vaddr,
  offsetBytes,
  length,
  present: present ? [{ at: 0, length }] : undefined,
});

/** Adds a page to the run, if it is near, in the same window, and does not make a long run wait. */
function joins(run: Run, vaddr: bigint, present: boolean, pageBytes: number): boolean {
  const at = Number(vaddr - run.vaddr);
  const far = GAP_PAGES * pageBytes;
  if (at - run.length > far || windowOf(run.offsetBytes + BigInt(at)) !== windowOf(run.offsetBytes)) return false;
  if (run.present && !present) {
    if (run.length > far) return false;
    run.present = undefined;
  }
  const last = run.present?.at(-1);
  if (last && at === run.length) last.length += pageBytes;
  else run.present?.push({ at, length: pageBytes });
  run.length = at + pageBytes;
  return true;
}
