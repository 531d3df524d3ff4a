import type { Segment } from "../elf/segments.ts";
import { type Mapping, mappingsIn } from "./memory-map.ts";

/** A stretch of the process's memory and where it goes in the core. */
export interface Run {
  readonly vaddr: bigint;
  readonly offsetBytes: bigint;
  readonly length: number;
}

/** Reads 64-bit pagemap entries (one a page) for pages from `firstPage` on; fewer than asked means: unknown. */
export type ReadPagemap = (entries: Uint32Array, firstPage: bigint, count: number) => Promise<number>;

/** Longest run: two of them in flight are the most memory that copying takes. */
export const RUN_BYTES = 4 << 20;
/** Untouched pages between touched ones that are cheaper to read as zeros than to go round. */
const GAP_PAGES = 16;
const ENTRIES = 1 << 16;
/** Upper words of pagemap entries: present (bit 63) or swapped (62); a guard page (58, since 6.15). */
const TOUCHED = 0xc0000000;
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
    const run = (from: bigint, to: bigint) => split(from, to, segment.offsetBytes - segment.vaddr);
    let at = segment.vaddr;
    for (const mapping of mappingsIn(mappings, segment.vaddr, end)) {
      if (mapping.pages === "any") continue;
      const from = mapping.start > at ? mapping.start : at;
      const to = mapping.end < end ? mapping.end : end;
      yield* run(at, from);
      if (mapping.pages === "anonymous") {
        for await (const [first, last] of touched(from, to, entries, readPagemap, BigInt(pageBytes)))
          yield* run(first, last);
      }
      at = to;
    }
    yield* run(at, end);
  }
}

function* split(from: bigint, to: bigint, toOffset: bigint): Generator<Run, void> {
  for (let at = from; at < to; at += BigInt(RUN_BYTES)) {
    const length = to - at < BigInt(RUN_BYTES) ? Number(to - at) : RUN_BYTES;
    yield { vaddr: at, offsetBytes: at + toOffset, length };
  }
}

/** The touched stretches of an anonymous mapping, near ones joined. */
async function* touched(from: bigint, to: bigint, entries: Uint32Array, readPagemap: ReadPagemap, pageBytes: bigint) {
  let open: [bigint, bigint] | undefined;
  for (let first = from / pageBytes; first * pageBytes < to; first += BigInt(ENTRIES)) {
    const left = (to - first * pageBytes) / pageBytes;
    const count = left < BigInt(ENTRIES) ? Number(left) : ENTRIES;
    const known = await readPagemap(entries, first, count);
    for (let at = 0; at < count; at++) {
      const page = at < known ? (entries[2 * at + 1] as number) : TOUCHED;
      if ((page & GUARD) !== 0) {
        if (open) yield open; // no going across
        open = undefined;
        continue;
      }
      if ((page & TOUCHED) === 0) continue;
      const address = (first + BigInt(at)) * pageBytes;
      if (open && address - open[1] <= BigInt(GAP_PAGES) * pageBytes) open[1] = address + pageBytes;
      else {
        if (open) yield open;
        open = [address, address + pageBytes];
      }
    }
  }
  if (open) yield open;
}
