import type { Segment } from "../elf/segments.ts";
import { type Mapping, mappingsIn } from "./memory-map.ts";

/** A stretch of the process's memory and where it goes in the core. */
export interface Run {
  readonly vaddr: bigint;
  readonly offsetBytes: bigint;
  readonly length: number;
  /** All of its pages are in memory now: reading them cannot wait for anybody. */
  readonly present: boolean;
}

/** Reads 64-bit pagemap entries (one a page) for pages from `firstPage` on; fewer than asked means: unknown. */
export type ReadPagemap = (entries: Uint32Array, firstPage: bigint, count: number) => Promise<number>;

/** Longest run: two of them in flight are the most memory that copying takes. */
export const RUN_BYTES = 4 << 20;
/** Untouched pages between touched ones that are cheaper to read as zeros than to go round. */
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
  for (const segment of segments) {
    const end = segment.vaddr + segment.fileBytes;
    const run = (from: bigint, to: bigint, present = false) =>
      split(from, to, segment.offsetBytes - segment.vaddr, present);
    let at = segment.vaddr;
    for (const mapping of mappingsIn(mappings, segment.vaddr, end)) {
      if (mapping.pages === "any") continue;
      const from = mapping.start > at ? mapping.start : at;
      const to = mapping.end < end ? mapping.end : end;
      yield* run(at, from);
      if (mapping.pages === "anonymous") {
        for await (const stretch of touched(from, to, entries, readPagemap, BigInt(pageBytes)))
          yield* run(stretch.from, stretch.to, stretch.present);
      }
      at = to;
    }
    yield* run(at, end);
  }
}

function* split(from: bigint, to: bigint, toOffset: bigint, present: boolean): Generator<Run, void> {
  for (let at = from; at < to; at += BigInt(RUN_BYTES)) {
    const length = to - at < BigInt(RUN_BYTES) ? Number(to - at) : RUN_BYTES;
    yield { vaddr: at, offsetBytes: at + toOffset, length, present };
  }
}

interface Stretch {
  readonly from: bigint;
  to: bigint;
  present: boolean;
}

/** The touched stretches of an anonymous mapping, near ones joined; a long one that is present stays so, by itself. */
async function* touched(
  from: bigint,
  to: bigint,
  entries: Uint32Array,
  readPagemap: ReadPagemap,
  pageBytes: bigint,
): AsyncGenerator<Stretch, void> {
  const far = BigInt(GAP_PAGES) * pageBytes;
  let open: Stretch | undefined;
  for (let first = from / pageBytes; first * pageBytes < to; first += BigInt(ENTRIES)) {
    const left = (to - first * pageBytes) / pageBytes;
    const count = left < BigInt(ENTRIES) ? Number(left) : ENTRIES;
    const known = await readPagemap(entries, first, count);
    for (let at = 0; at < count; at++) {
      const page = at < known ? (entries[2 * at + 1] as number) : SWAPPED;
      if ((page & (TOUCHED | GUARD)) === 0) continue;
      const address = (first + BigInt(at)) * pageBytes;
      const present = (page & PRESENT) !== 0;
      const guard = (page & GUARD) !== 0;
      const joins = open && !guard && address - open.to <= far && joinable(open, address, present, far);
      if (open && joins) {
        open.present &&= present && address === open.to;
        open.to = address + pageBytes;
        continue;
      }
      if (open) yield open;
      open = guard ? undefined : { from: address, to: address + pageBytes, present };
    }
  }
  if (open) yield open;
}

/** A page that makes a long present stretch one that may wait is better off in another. */
const joinable = ({ from, to, present }: Stretch, address: bigint, pageIsPresent: boolean, far: bigint): boolean =>
  !present || (pageIsPresent && address === to) || to - from <= far;
