/**
 * Names of functions out of .symtab, else .dynsym and MiniDebugInfo. A table is streamed once against all addresses that are wanted, so
 * that memory does not depend on its size.
 */
import { fieldsOf } from "../elf/bytes.ts";
import { dynamicEntries } from "./dynamic.ts";
import type { Image } from "./image.ts";
import { miniDebugInfo } from "./mini.ts";

export interface FoundSymbol {
  /** As the linker knows it: mangled, perhaps with a version after `@`. */
  readonly name: string;
  readonly start: number;
  /** Its own, or where the next one begins. */
  readonly end: number;
}

/** Where a table of symbols lies. `at` reads its bytes, `name` the text at an offset of its strings. */
interface SymbolTable {
  readonly bytes: number;
  readonly entryBytes: number;
  at(offset: number, length: number): Uint8Array;
  name(offset: number): string;
}

const MAX_TABLE_BYTES = 64 << 20;
const CHUNK_BYTES = 64 * 1024;
const MAX_SYMBOL_BYTES = 64 * 1024;
/** st_info & 15 */
const [NOTYPE, FUNC, IFUNC] = [0, 2, 10];
/** An assembler's label without a size: how far it may reach. */
const MAX_GUESSED = 1 << 20;

/**
 * @param wanted vaddrs, in any order
 * @param below  gets for those without a symbol where the nearest function below ends
 */
export function symbolsOf(
  image: Image,
  wanted: readonly number[],
  below = new Map<number, number>(),
): Map<number, FoundSymbol> {
  const found = new Map<number, FoundSymbol>();
  for (const tables of tablesOf(image)) {
    const missing = wanted.filter((vaddr) => !found.has(vaddr)).sort((a, b) => a - b);
    if (missing.length === 0) break;
    for (const [vaddr, symbol] of search(tables, image, missing, below)) found.set(vaddr, symbol);
  }
  return found;
}

/** Tables that are searched together: MiniDebugInfo leaves out what .dynsym has. */
function* tablesOf(image: Image): Generator<SymbolTable[]> {
  const table = sectionTable(image, ".symtab");
  if (table) yield [table];
  const mini = table ? undefined : miniDebugInfo(image);
  const exported = image.sections.has(".dynsym") ? sectionTable(image, ".dynsym") : dynamicTable(image);
  const rest = [exported, mini && sectionTable(mini, ".symtab")].filter((each) => each !== undefined);
  if (rest.length > 0) yield rest;
}

function sectionTable(image: Image, name: string): SymbolTable | undefined {
  const { file } = image;
  const section = image.sections.get(name);
  const strings = image.sections.get(name === ".symtab" ? ".strtab" : ".dynstr");
  if (!file || !section || !strings) return undefined;
  return {
    bytes: section.bytes,
    entryBytes: image.header.bits === 64 ? 24 : 16,
    at: (offset, length) => file.stream(section.offset + offset, Math.min(length, section.bytes - offset)),
    name: (offset) =>
      textAt((at, length) => file.bytes(strings.offset + at, Math.min(length, strings.bytes - at)), offset),
  };
}

/** Long enough for all but the longest C++ names, and then for those. */
export function textAt(read: (at: number, length: number) => Uint8Array, offset: number): string {
  for (const length of [256, MAX_SYMBOL_BYTES]) {
    const bytes = read(offset, length);
    const end = bytes.indexOf(0);
    if (end >= 0) return Buffer.from(bytes.buffer, bytes.byteOffset, end).toString("latin1");
  }
  return "";
}

const [DT_HASH, DT_STRTAB, DT_SYMTAB, DT_GNU_HASH] = [4, 5, 6, 0x6ffffef5];

/** Without section headers: from PT_DYNAMIC; it does not say how many symbols there are, but the hash tables do. */
function dynamicTable(image: Image): SymbolTable | undefined {
  const entries = dynamicEntries(image);
  const [symbols, strings] = [entries.get(DT_SYMTAB), entries.get(DT_STRTAB)];
  if (symbols === undefined || strings === undefined) return undefined;
  const count = countOf(image, entries);
  const entryBytes = image.header.bits === 64 ? 24 : 16;
  return {
    bytes: count * entryBytes,
    entryBytes,
    at: (offset, length) => Uint8Array.from(image.at(symbols + offset, Math.min(length, count * entryBytes - offset))),
    name: (offset) => textAt((at, length) => image.at(strings + at, length), offset),
  };
}

function countOf(image: Image, entries: ReadonlyMap<number, number>): number {
  const hash = entries.get(DT_HASH);
  const head = hash === undefined ? undefined : image.at(hash, 8);
  if (head?.length === 8) return fieldsOf(head, image.header).u32(4);
  const gnu = entries.get(DT_GNU_HASH);
  return gnu === undefined ? 0 : gnuHashCount(image, gnu);
}

/** The last chain ends with the last symbol. */
function gnuHashCount(image: Image, table: number): number {
  const u32 = (at: number): number => {
    const bytes = image.at(at, 4);
    return bytes.length === 4 ? fieldsOf(bytes, image.header).u32(0) : 0;
  };
  const [buckets, first, bloom] = [u32(table), u32(table + 4), u32(table + 8)];
  const bucketsAt = table + 16 + (bloom * image.header.bits) / 8;
  let last = 0;
  for (let i = 0; i < Math.min(buckets, 1 << 20); i++) last = Math.max(last, u32(bucketsAt + 4 * i));
  if (last < first) return first;
  const chain = bucketsAt + 4 * buckets - 4 * first;
  for (let steps = 0; steps < 1 << 20 && !(u32(chain + 4 * last) & 1); steps++) last++;
  return last + 1;
}

interface SymbolCandidate {
  readonly table: SymbolTable;
  readonly start: number;
  readonly size: number;
  readonly nameAt: number;
  readonly rank: number;
}

/**
 * The nearest symbol at or below each vaddr whose size covers it; one without a size reaches to the next. Each symbol is compared for
 * one vaddr only, the first at or above it: for those further on the nearest and the one that reaches furthest are kept, so that
 * symbols which all claim to cover everything cost no more than others.
 */
function search(
  tables: readonly SymbolTable[],
  image: Image,
  wanted: readonly number[],
  below: Map<number, number>,
): Map<number, FoundSymbol> {
  const slots = wanted.map(
    (): Slot => ({ best: undefined, furthest: undefined, ended: 0, next: Number.POSITIVE_INFINITY }),
  );
  for (const symbol of functionsIn(tables, image)) {
    const index = firstAtLeast(wanted, symbol.start);
    const [slot, before] = [slots[index], slots[index - 1]];
    if (before) before.next = Math.min(before.next, symbol.start);
    if (!slot) continue;
    if (symbol.start + symbol.size <= (wanted[index] ?? 0))
      slot.ended = Math.max(slot.ended, symbol.start + symbol.size);
    if (endOf(symbol) > (wanted[index] ?? 0) && isBetter(symbol, slot.best)) slot.best = symbol;
    if (endOf(symbol) > endOf(slot.furthest)) slot.furthest = symbol;
  }
  return chosen(wanted, slots, below);
}

interface Slot {
  best: SymbolCandidate | undefined;
  furthest: SymbolCandidate | undefined;
  /** The highest end of those that end at or below this vaddr. */
  ended: number;
  /** Where the first symbol above this vaddr begins. */
  next: number;
}

const endOf = (symbol: SymbolCandidate | undefined): number =>
  symbol ? symbol.start + (symbol.size || MAX_GUESSED) : 0;

function chosen(
  wanted: readonly number[],
  slots: readonly Slot[],
  below: Map<number, number>,
): Map<number, FoundSymbol> {
  const found = new Map<number, FoundSymbol>();
  let [last, furthest]: (SymbolCandidate | undefined)[] = [undefined, undefined];
  let highest = 0;
  for (const [i, vaddr] of wanted.entries()) {
    const slot = slots[i];
    const symbol: SymbolCandidate | undefined = [slot?.best, last, furthest].find(
      (each) => each && endOf(each) > vaddr,
    );
    if (endOf(slot?.furthest) > endOf(furthest)) furthest = slot?.furthest;
    last = symbol;
    highest = Math.max(highest, slot?.ended ?? 0);
    if (!symbol) below.set(vaddr, Math.max(highest, below.get(vaddr) ?? 0));
    const name = symbol ? symbol.table.name(symbol.nameAt) : "";
    if (!symbol || name === "") continue;
    found.set(vaddr, {
      name,
      start: symbol.start,
      end: symbol.size > 0 ? endOf(symbol) : Math.min(slot?.next ?? 0, endOf(symbol)),
    });
  }
  return found;
}

/** Sized before unsized, then the nearer, then global before weak before local: so that twins have one name everywhere. */
function isBetter(symbol: SymbolCandidate, best: SymbolCandidate | undefined): boolean {
  if (!best) return true;
  if (symbol.start !== best.start) {
    const bothSized = symbol.size > 0 === best.size > 0;
    return bothSized
      ? symbol.start > best.start
      : symbol.start > best.start && symbol.size > 0
        ? true
        : best.size === 0;
  }
  return symbol.rank < best.rank;
}

function firstAtLeast(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function* functionsIn(tables: readonly SymbolTable[], image: Image): Generator<SymbolCandidate> {
  for (const table of tables) yield* functionsOf(table, image);
}

function* functionsOf(table: SymbolTable, image: Image): Generator<SymbolCandidate> {
  const { entryBytes } = table;
  const is64 = image.header.bits === 64;
  const total = Math.min(table.bytes, MAX_TABLE_BYTES);
  const chunk = Math.floor(CHUNK_BYTES / entryBytes) * entryBytes;
  for (let from = 0; from < total; from += chunk) {
    const bytes = table.at(from, Math.min(chunk, total - from));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const little = image.header.littleEndian;
    for (let at = 0; at + entryBytes <= bytes.length; at += entryBytes) {
      const info = bytes[at + (is64 ? 4 : 12)] ?? 0;
      const type = info & 15;
      const section = view.getUint16(at + (is64 ? 6 : 14), little);
      if (section === 0 || (type !== FUNC && type !== IFUNC && type !== NOTYPE)) continue;
      const start = is64 ? Number(view.getBigUint64(at + 8, little)) : view.getUint32(at + 4, little);
      const size = is64 ? Number(view.getBigUint64(at + 16, little)) : view.getUint32(at + 8, little);
      const rank = (type === NOTYPE ? 4 : 0) + ([2, 0, 1][info >> 4] ?? 3);
      yield { table, start, size, nameAt: view.getUint32(at, little), rank };
    }
    if (bytes.length < Math.min(chunk, total - from)) return;
  }
}
