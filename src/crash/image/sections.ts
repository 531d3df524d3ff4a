/** Section headers of an ELF file (elf(5)), by name, and what they hold: inflated where the linker compressed it (gABI, SHF_COMPRESSED). */
import { inflateSync, zstdDecompressSync } from "node:zlib";
import { fieldsOf } from "../elf/bytes.ts";
import type { ElfHeader } from "../elf/header.ts";
import type { Pages } from "../process/pages.ts";

export interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly vaddr: number;
  readonly offset: number;
  readonly bytes: number;
  /** Of the section whose strings it uses. */
  readonly link: number;
  readonly entryBytes: number;
}

const SHT_NOBITS = 8;
const SHF_COMPRESSED = 0x800;
/** Programs compiled with a section for each function have thousands only before they are linked. */
const MAX_SECTIONS = 4096;
const MAX_NAMES_BYTES = 1 << 20;
const [ZLIB, ZSTD] = [1, 2];

export function sectionsOf(file: Pages, header: ElfHeader): ReadonlyMap<string, Section> {
  const entry = header.bits === 64 ? 64 : 40;
  if (header.shentsize !== entry || header.shnum === 0 || header.shnum > MAX_SECTIONS) return new Map();
  const table = file.bytes(Number(header.shoff), header.shnum * entry);
  const sections = Array.from({ length: Math.floor(table.length / entry) }, (_, i) =>
    sectionIn(table, i * entry, header),
  );
  const namesIndex = fieldsOf(file.bytes(0, 64), header).u16(header.bits === 64 ? 62 : 50);
  const names = sections[namesIndex];
  if (!names || names.bytes > MAX_NAMES_BYTES) return new Map();
  const text = Buffer.from(file.bytes(names.offset, names.bytes));
  const found = new Map<string, Section>();
  for (const { nameAt, ...section } of sections) {
    const end = text.indexOf(0, nameAt);
    const name = end < 0 ? "" : text.toString("latin1", nameAt, end);
    if (!found.has(name)) found.set(name, { ...section, name });
  }
  return found;
}

function sectionIn(table: Uint8Array, at: number, header: ElfHeader): Omit<Section, "name"> & { nameAt: number } {
  const field = fieldsOf(table, header);
  const word = header.bits / 8;
  const [flags, rest] = [at + 8, at + 8 + 4 * word];
  return {
    nameAt: field.u32(at),
    type: field.u32(at + 4),
    flags: Number(field.word(flags)),
    vaddr: Number(field.word(flags + word)),
    offset: Number(field.word(flags + 2 * word)),
    bytes: field.u32(at + 4) === SHT_NOBITS ? 0 : Number(field.word(flags + 3 * word)),
    link: field.u32(rest),
    entryBytes: Number(field.word(rest + 8 + word)),
  };
}

/**
 * All that a section holds.
 * @param max largest size, packed and unpacked; undefined comes out where it is larger, or broken
 */
export function contentOf(file: Pages, header: ElfHeader, section: Section, max: number): Uint8Array | undefined {
  if (section.bytes > max || section.type === SHT_NOBITS) return undefined;
  const raw = file.stream(section.offset, section.bytes);
  if (raw.length < section.bytes) return undefined;
  if (section.name.startsWith(".zdebug_")) return inflated(raw, 4 + 8, ZLIB, max); // "ZLIB", size: GNU's older way
  if (!(section.flags & SHF_COMPRESSED)) return raw;
  const headBytes = header.bits === 64 ? 24 : 12;
  return raw.length < headBytes ? undefined : inflated(raw, headBytes, fieldsOf(raw, header).u32(0), max);
}

function inflated(raw: Uint8Array, from: number, kind: number, max: number): Uint8Array | undefined {
  try {
    const packed = raw.subarray(from);
    if (kind === ZLIB) return inflateSync(packed, { maxOutputLength: max });
    return kind === ZSTD ? zstdDecompressSync(packed, { maxOutputLength: max }) : undefined;
  } catch {
    return undefined; // broken or too large: as if it were not there
  }
}

/** The section of that name, whether or not the linker compressed it in GNU's older way. */
export const debugSection = (sections: ReadonlyMap<string, Section>, name: string): Section | undefined =>
  sections.get(`.${name}`) ?? sections.get(`.z${name}`);
