/** Compilation units of .debug_info and the attributes of their entries (DWARF 5, 7.5; DWARF 2 to 4 alike but for the headers). */
import { Cursor } from "../elf/cursor.ts";
import type { DebugSections } from "./debug-sections.ts";

export const AT = {
  sibling: 0x01, name: 0x03, stmtList: 0x10, lowPc: 0x11, highPc: 0x12, compDir: 0x1b, abstractOrigin: 0x31, specification: 0x47,
  ranges: 0x55, callFile: 0x58, callLine: 0x59, linkageName: 0x6e, strOffsetsBase: 0x72, addrBase: 0x73, rnglistsBase: 0x74,
  mipsLinkageName: 0x2007,
} as const; // biome-ignore format: a table

const WANTED: ReadonlySet<number> = new Set(Object.values(AT));
const MAX_UNITS = 50_000;
const MAX_UNIT_BYTES = 8 << 20;
const MAX_ABBREVS = 100_000;
const MAX_ABBREV_BYTES = 1 << 20;

interface Value {
  readonly form: number;
  readonly value: number;
}

export interface DebugEntry {
  /** In .debug_info. */
  readonly offset: number;
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly attributes: ReadonlyMap<number, Value>;
}

interface Abbrev {
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly attributes: readonly { readonly at: number; readonly form: number; readonly constant: number }[];
}

export interface UnitHead {
  readonly offset: number;
  readonly end: number;
  readonly version: number;
  readonly is64: boolean;
  readonly abbrevs: number;
  readonly wordBytes: 4 | 8;
  readonly bodyAt: number;
}

/** The heads of all units, in order. */
export function* unitsOf(sections: DebugSections): Generator<UnitHead> {
  const info = sections.get("debug_info");
  for (let [offset, count] = [0, 0]; info && offset < info.bytes && count < MAX_UNITS; count++) {
    const cursor = new Cursor(info.at(offset, 40), sections.image.header);
    const short = cursor.u32();
    const is64 = short === 0xffffffff;
    const length = is64 ? cursor.u64() : short;
    const end = offset + cursor.at + length;
    const version = cursor.u16();
    const type = version >= 5 ? cursor.u8() : 1;
    let wordBytes = version >= 5 ? cursor.u8() : 0;
    const abbrevs = is64 ? cursor.u64() : cursor.u32();
    if (version < 5) wordBytes = cursor.u8();
    const isCode = version >= 2 && version <= 5 && (type === 1 || type === 3) && (wordBytes === 4 || wordBytes === 8);
    if (isCode && end - offset <= MAX_UNIT_BYTES)
      yield { offset, end, version, is64, abbrevs, wordBytes: wordBytes === 4 ? 4 : 8, bodyAt: cursor.at };
    if (end <= offset) return;
    offset = end;
  }
}

/** One unit, its entries read on demand. */
export class Unit {
  readonly head: UnitHead;
  readonly sections: DebugSections;
  readonly #bytes: Uint8Array;
  readonly #abbrevs: Map<number, Abbrev>;
  readonly root: DebugEntry;

  /** @param wholly all of its bytes, not its first entry alone */
  constructor(sections: DebugSections, head: UnitHead, wholly: boolean) {
    this.head = head;
    this.sections = sections;
    const length = head.end - head.offset;
    this.#bytes =
      sections.get("debug_info")?.at(head.offset, wholly ? length : Math.min(length, 4096)) ?? new Uint8Array();
    const rootCode = new Cursor(this.#bytes, sections.image.header, 0, head.bodyAt).uleb();
    this.#abbrevs = abbrevsAt(sections, head.abbrevs, wholly ? undefined : rootCode);
    const { entry } = this.read(head.offset + head.bodyAt);
    if (!entry) throw new RangeError("an empty unit");
    this.root = entry;
  }

  /** The entry, undefined for what ends a list of children, and where the next one begins. */
  read(offset: number): { readonly entry: DebugEntry | undefined; readonly next: number } {
    const abi = {
      littleEndian: this.sections.image.header.littleEndian,
      bits: this.head.wordBytes === 8 ? 64 : 32,
    } as const;
    const cursor = new Cursor(this.#bytes, abi, 0, offset - this.head.offset);
    const code = cursor.uleb();
    if (code === 0) return { entry: undefined, next: this.head.offset + cursor.at };
    const abbrev = this.#abbrevs.get(code);
    if (!abbrev) throw new RangeError("an unknown abbreviation");
    const attributes = new Map<number, Value>();
    for (const { at, form, constant } of abbrev.attributes) {
      const value = this.#value(cursor, form, constant);
      if (WANTED.has(at)) attributes.set(at, value);
    }
    const { tag, hasChildren } = abbrev;
    return { entry: { offset, tag, hasChildren, attributes }, next: this.head.offset + cursor.at };
  }

  #value(cursor: Cursor, form: number, constant: number): Value {
    if (form === 0x16) return this.#value(cursor, cursor.uleb(), 0); // indirect
    return { form, value: form === 0x21 ? constant : this.#raw(cursor, form) };
  }

  #raw(cursor: Cursor, form: number): number {
    const fixed = FIXED[form];
    if (fixed !== undefined) return fixed <= 8 ? Number(cursor.sized(fixed)) : cursor.take(fixed).length;
    if (form === 0x01) return cursor.word();
    if (LEB.has(form)) return cursor.uleb();
    if (form === 0x0d) return cursor.sleb();
    if (OFFSET.has(form))
      return this.head.is64 || (form === 0x10 && this.head.version === 2 && this.head.wordBytes === 8)
        ? cursor.u64()
        : cursor.u32();
    const from = this.head.offset + cursor.at;
    if (form === 0x08) cursor.text();
    else if (form === 0x0a) cursor.take(cursor.u8());
    else if (form === 0x03) cursor.take(cursor.u16());
    else if (form === 0x04) cursor.take(cursor.u32());
    else if (form === 0x09 || form === 0x18) cursor.take(cursor.uleb());
    else if (form !== 0x19) throw new RangeError("an unknown form"); // flag_present has no bytes
    return from;
  }

  /** Text of an attribute. */
  text(value: Value | undefined): string | null {
    if (!value) return null;
    const { form, value: at } = value;
    if (form === 0x08) return this.sections.text("debug_info", at);
    if (form === 0x0e) return this.sections.text("debug_str", at);
    if (form === 0x1f) return this.sections.text("debug_line_str", at);
    if (form !== 0x1a && (form < 0x25 || form > 0x28)) return null;
    const word = this.head.is64 ? 8 : 4;
    const base = this.root.attributes.get(AT.strOffsetsBase)?.value ?? 8;
    const offset = this.indexed("debug_str_offsets", base + at * word, word);
    return offset === undefined ? null : this.sections.text("debug_str", offset);
  }

  /** An address, direct or by its index. */
  address(value: Value | undefined): number | undefined {
    if (!value) return undefined;
    if (value.form !== 0x1b && (value.form < 0x29 || value.form > 0x2c)) return value.value;
    return this.addressAt(value.value);
  }

  addressAt(index: number): number | undefined {
    const base = this.root.attributes.get(AT.addrBase)?.value ?? 8;
    return this.indexed("debug_addr", base + index * this.head.wordBytes, this.head.wordBytes);
  }

  indexed(section: string, at: number, bytes: 4 | 8): number | undefined {
    const found = this.sections.get(section)?.at(at, bytes);
    return found?.length === bytes ? Number(new Cursor(found, this.sections.image.header).sized(bytes)) : undefined;
  }
}

/** Forms of a fixed number of bytes. */
const FIXED: Readonly<Record<number, number>> = {
  11: 1, 12: 1, 17: 1, 37: 1, 41: 1, 5: 2, 18: 2, 38: 2, 42: 2, 39: 3, 43: 3, 6: 4, 19: 4, 28: 4, 40: 4,
  44: 4, 7: 8, 20: 8, 32: 8, 36: 8, 30: 16,
}; // biome-ignore format: a table
const LEB: ReadonlySet<number> = new Set([0x0f, 0x15, 0x1a, 0x1b, 0x22, 0x23]);
const OFFSET: ReadonlySet<number> = new Set([0x0e, 0x10, 0x17, 0x1d, 0x1f, 0x1f20, 0x1f21]);

/** @param until the one that is wanted; undefined: all of them */
function abbrevsAt(sections: DebugSections, offset: number, until: number | undefined): Map<number, Abbrev> {
  const bytes =
    sections.get("debug_abbrev")?.at(offset, until === undefined ? MAX_ABBREV_BYTES : 16_384) ?? new Uint8Array();
  const cursor = new Cursor(bytes, sections.image.header);
  const abbrevs = new Map<number, Abbrev>();
  while (!cursor.ended && abbrevs.size < MAX_ABBREVS) {
    const code = cursor.uleb();
    if (code === 0) break;
    const [tag, hasChildren] = [cursor.uleb(), cursor.u8() === 1];
    const attributes = [];
    for (;;) {
      const [at, form] = [cursor.uleb(), cursor.uleb()];
      const constant = form === 0x21 ? cursor.sleb() : 0;
      if (at === 0 && form === 0) break;
      attributes.push({ at, form, constant });
    }
    abbrevs.set(code, { tag, hasChildren, attributes });
    if (code === until) break;
  }
  return abbrevs;
}
