/** What the dynamic linker reads (PT_DYNAMIC, System V gABI chapter 5): it is there without section headers, too. */
import { fieldsOf } from "../elf/bytes.ts";
import type { Image } from "./image.ts";

export const PT_DYNAMIC = 2;
export const MAX_DYNAMIC_BYTES = 4096;
const [DT_STRTAB, DT_SYMTAB, DT_GNU_HASH] = [5, 6, 0x6ffffef5];
/** Symbols of one hash bucket: linkers make about as many buckets as symbols. */
const MAX_CHAIN = 1024;

/** Values by tag. */
export function dynamicEntries(image: Image): ReadonlyMap<number, number> {
  const entries = new Map<number, number>();
  const segment = image.segments.find(({ type }) => type === PT_DYNAMIC);
  if (!segment) return entries;
  const word = image.header.bits / 8;
  const bytes = image.at(Number(segment.vaddr), Math.min(Number(segment.memBytes), MAX_DYNAMIC_BYTES));
  const field = fieldsOf(bytes, image.header);
  for (let at = 0; at + 2 * word <= bytes.length; at += 2 * word)
    entries.set(Number(field.word(at)), Number(field.word(at + word)));
  return entries;
}

/** The vaddr of an exported symbol, by the GNU hash table (gnu-gabi, "DT_GNU_HASH"): a few small reads whatever its size. */
export function exportedAt(image: Image, name: string): number | undefined {
  const entries = dynamicEntries(image);
  const [table, symbols, strings] = [DT_GNU_HASH, DT_SYMTAB, DT_STRTAB].map((tag) => entries.get(tag));
  if (table === undefined || symbols === undefined || strings === undefined) return undefined;
  const u32 = (at: number): number => fieldsOf(image.at(at, 4), image.header).u32(0);
  const [buckets, first, bloom] = [u32(table), u32(table + 4), u32(table + 8)];
  if (buckets === 0) return undefined;
  const hash = gnuHash(name);
  const bucketsAt = table + 16 + (bloom * image.header.bits) / 8;
  const chainAt = bucketsAt + 4 * buckets;
  const start = u32(bucketsAt + 4 * (hash % buckets));
  for (let index = start; index >= first && index < start + MAX_CHAIN; index++) {
    const chain = u32(chainAt + 4 * (index - first));
    const symbol = (chain | 1) === (hash | 1) ? symbolAt(image, symbols, index) : undefined;
    if (symbol && isText(image.at(strings + symbol.nameAt, name.length + 1), name)) return symbol.value;
    if (chain & 1) return undefined;
  }
  return undefined;
}

function symbolAt(image: Image, table: number, index: number): { nameAt: number; value: number } {
  const entryBytes = image.header.bits === 64 ? 24 : 16;
  const field = fieldsOf(image.at(table + index * entryBytes, entryBytes), image.header);
  return { nameAt: field.u32(0), value: Number(field.word(image.header.bits === 64 ? 8 : 4)) };
}

const isText = (bytes: Uint8Array, name: string): boolean => Buffer.from(bytes).toString("latin1") === `${name}\0`;

function gnuHash(name: string): number {
  let hash = 5381;
  for (const byte of Buffer.from(name, "latin1")) hash = (Math.imul(hash, 33) + byte) >>> 0;
  return hash;
}
