/**
 * The unwinding entry of a vaddr. .eh_frame_hdr has a sorted table (LSB 5.0, 10.6.2), which is searched where it lies; without it, and
 * for .debug_frame, all entries are looked through once.
 */

import { Cursor } from "../elf/cursor.ts";
import type { Image } from "../image/image.ts";
import { contentOf, debugSection } from "../image/sections.ts";
import { FrameEntries, type FrameEntry, headAt } from "./frame-entries.ts";

const PT_GNU_EH_FRAME = 0x6474e550;
/** DW_EH_PE_datarel | DW_EH_PE_sdata4: what every linker writes; others are not sorted tables of 8 bytes. */
const TABLE_ENCODING = 0x3b;
const MAX_INDEXED = 1 << 20;
const MAX_DEBUG_FRAME_BYTES = 32 << 20;

export interface EntryFinder {
  /** The nearest that begins at or below; whether it covers the vaddr is the caller's to see. */
  below(vaddr: number): FrameEntry | undefined;
}

/** In this order: the sorted table, all of .eh_frame, .debug_frame. */
export function findersOf(image: Image): EntryFinder[] {
  const header = headerTable(image);
  return [...(header ? [header] : []), lazily(() => wholeEhFrame(image)), lazily(() => debugFrame(image))];
}

function headerTable(image: Image): EntryFinder | undefined {
  const segment = image.segments.find(({ type }) => type === PT_GNU_EH_FRAME);
  if (!segment) return undefined;
  const at = Number(segment.vaddr);
  const head = image.at(at, 32);
  if (head.length < 12 || head[0] !== 1 || head[3] !== TABLE_ENCODING) return undefined;
  const entries = new FrameEntries({ abi: image.header, isDebugFrame: false, at: image.at });
  const cursor = new Cursor(head, image.header, at, 4);
  cursor.pointer(head[1] ?? 0, { data: at });
  const count = cursor.pointer(head[2] ?? 0, { data: at });
  const table = at + cursor.at;
  return { below: (vaddr) => searched(image, entries, { hdr: at, table, count }, vaddr) };
}

function searched(
  image: Image,
  entries: FrameEntries,
  { hdr, table, count }: { hdr: number; table: number; count: number },
  vaddr: number,
): FrameEntry | undefined {
  let [low, high] = [0, Math.min(count, MAX_INDEXED * 16)];
  let fde: number | undefined;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const bytes = image.at(table + middle * 8, 8);
    if (bytes.length < 8) return undefined;
    const cursor = new Cursor(bytes, image.header);
    if (hdr + cursor.i32() <= vaddr) {
      fde = hdr + cursor.i32();
      low = middle + 1;
    } else high = middle;
  }
  return fde === undefined ? undefined : entries.fdeAt(fde, { data: hdr });
}

/** Made when first asked. */
function lazily(make: () => EntryFinder | undefined): EntryFinder {
  let made: EntryFinder | undefined;
  let asked = false;
  return {
    below(vaddr) {
      if (!asked) made = make();
      asked = true;
      return made?.below(vaddr);
    },
  };
}

function wholeEhFrame(image: Image): EntryFinder | undefined {
  const section = image.sections.get(".eh_frame");
  if (!section) return undefined;
  const entries = new FrameEntries({ abi: image.header, isDebugFrame: false, at: image.at });
  return indexed(entries, section.vaddr, section.vaddr + section.bytes);
}

function debugFrame(image: Image): EntryFinder | undefined {
  const section = debugSection(image.sections, "debug_frame");
  const content = section && image.file && contentOf(image.file, image.header, section, MAX_DEBUG_FRAME_BYTES);
  if (!content) return undefined;
  const at = (offset: number, length: number): Uint8Array => content.subarray(offset, offset + length);
  return indexed(new FrameEntries({ abi: image.header, isDebugFrame: true, at }), 0, content.length);
}

/** Looks at every entry once and keeps where its code begins. */
function indexed(entries: FrameEntries, from: number, to: number): EntryFinder {
  const found: { start: number; fde: number }[] = [];
  for (let at = from; at < to && found.length < MAX_INDEXED; ) {
    const head = headAt(entries.table, at);
    if (!head) break;
    const entry = head.isCie ? undefined : parsed(entries, at);
    if (entry) found.push({ start: entry.start, fde: at });
    at += head.totalBytes;
  }
  found.sort((a, b) => a.start - b.start);
  return {
    below(vaddr) {
      let [low, high] = [0, found.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((found[middle]?.start ?? 0) <= vaddr) low = middle + 1;
        else high = middle;
      }
      const fde = found[low - 1]?.fde;
      return fde === undefined ? undefined : entries.fdeAt(fde);
    },
  };
}

/** One broken entry says nothing about its neighbours. */
function parsed(entries: FrameEntries, at: number): FrameEntry | undefined {
  try {
    return entries.fdeAt(at);
  } catch {
    return undefined;
  }
}
