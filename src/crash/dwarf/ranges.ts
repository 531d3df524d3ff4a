/** Which addresses an entry covers: low_pc and high_pc, .debug_ranges (DWARF 4, 2.17.3), .debug_rnglists (DWARF 5, 2.17.3). */
import { Cursor } from "../elf/cursor.ts";
import { AT, type DebugEntry, type Unit } from "./units.ts";

const MAX_RANGES = 100_000;
const WINDOW = 4096;

type Range = readonly [from: number, to: number];

/** @returns undefined where it says nothing of addresses */
export function covers(unit: Unit, entry: DebugEntry, vaddr: number): boolean | undefined {
  const ranges = rangesOf(unit, entry);
  if (!ranges) return undefined;
  for (const [from, to] of ranges) if (from <= vaddr && vaddr < to) return true;
  return false;
}

/** @returns undefined where it says nothing of addresses */
export function rangesOf(unit: Unit, entry: DebugEntry): Iterable<Range> | undefined {
  const { attributes } = entry;
  const ranges = attributes.get(AT.ranges);
  if (ranges) return unit.head.version >= 5 ? inLists(unit, ranges) : inRanges(unit, ranges.value);
  const [low, high] = [unit.address(attributes.get(AT.lowPc)), attributes.get(AT.highPc)];
  if (low === undefined || high === undefined) return undefined;
  return [[low, high.form === 0x01 ? high.value : high.form === 0x1b ? (unit.address(high) ?? 0) : low + high.value]];
}

const baseOf = (unit: Unit): number => unit.address(unit.root.attributes.get(AT.lowPc)) ?? 0;

function* inRanges(unit: Unit, offset: number): Generator<Range> {
  const word = unit.head.wordBytes;
  const last = word === 8 ? 2 ** 64 : 2 ** 32 - 1; // the nearest double of all ones
  let base = baseOf(unit);
  for (let i = 0; i < MAX_RANGES; i++) {
    const from = unit.indexed("debug_ranges", offset + 2 * i * word, word);
    const to = unit.indexed("debug_ranges", offset + (2 * i + 1) * word, word);
    if (from === undefined || to === undefined || (from === 0 && to === 0)) return;
    if (from === last) base = to;
    else yield [base + from, base + to];
  }
}

function* inLists(unit: Unit, { form, value }: { form: number; value: number }): Generator<Range> {
  const section = unit.sections.get("debug_rnglists");
  const listsBase = unit.root.attributes.get(AT.rnglistsBase)?.value ?? 12;
  const word = unit.head.is64 ? 8 : 4;
  const listed = form === 0x23 ? unit.indexed("debug_rnglists", listsBase + value * word, word) : undefined;
  const offset = form === 0x23 ? listsBase + (listed ?? 0) : value;
  if (!section) return;
  const abi = {
    littleEndian: unit.sections.image.header.littleEndian,
    bits: unit.head.wordBytes === 8 ? 64 : 32,
  } as const;
  let at = offset;
  let cursor = new Cursor(section.at(at, WINDOW), abi);
  let base = baseOf(unit);
  for (let i = 0; i < MAX_RANGES; i++) {
    if (cursor.at > WINDOW - 64) {
      at += cursor.at;
      cursor = new Cursor(section.at(at, WINDOW), abi);
    }
    const kind = cursor.u8();
    if (kind === 0) return;
    if (kind === 1) base = unit.addressAt(cursor.uleb()) ?? 0;
    else if (kind === 5) base = cursor.word();
    else yield bounds(unit, cursor, kind, base);
  }
}

function bounds(unit: Unit, cursor: Cursor, kind: number, base: number): Range {
  if (kind === 2) return [unit.addressAt(cursor.uleb()) ?? 0, unit.addressAt(cursor.uleb()) ?? 0]; // startx_endx
  if (kind === 4) return [base + cursor.uleb(), base + cursor.uleb()]; // offset_pair
  if (kind === 6) return [cursor.word(), cursor.word()]; // start_end
  if (kind !== 3 && kind !== 7) throw new RangeError("an unknown kind of range");
  const start = kind === 3 ? (unit.addressAt(cursor.uleb()) ?? 0) : cursor.word();
  return [start, start + cursor.uleb()];
}
