/** Line number programs (DWARF 5, 6.2; versions 2 to 5): the file and line of an address, and a unit's list of files. */
import { Cursor } from "../elf/cursor.ts";
import type { Unit } from "./units.ts";
import { AT } from "./units.ts";

const MAX_PROGRAM_BYTES = 4 << 20;
const MAX_STEPS = 4_000_000;
const MAX_FILES = 100_000;

interface Line {
  readonly file: number;
  readonly line: number;
}

export class LineProgram {
  readonly #unit: Unit;
  readonly #cursor: Cursor;
  readonly #version: number;
  readonly #minimum: number;
  readonly #lineBase: number;
  readonly #lineRange: number;
  readonly #operands: readonly number[];
  readonly #files: { name: string; directory: number }[] = [];
  readonly #directories: string[] = [];
  readonly #programAt: number;

  static of(unit: Unit): LineProgram | undefined {
    const offset = unit.root.attributes.get(AT.stmtList)?.value;
    const section = unit.sections.get("debug_line");
    if (offset === undefined || !section) return undefined;
    const head = new Cursor(section.at(offset, 12), unit.sections.image.header);
    const short = head.u32();
    const length = short === 0xffffffff ? head.u64() : short;
    if (length > MAX_PROGRAM_BYTES) return undefined;
    const abi = {
      littleEndian: unit.sections.image.header.littleEndian,
      bits: unit.head.wordBytes === 8 ? 64 : 32,
    } as const;
    return new LineProgram(
      unit,
      new Cursor(section.at(offset, head.at + length), abi, 0, head.at),
      short === 0xffffffff,
    );
  }

  private constructor(unit: Unit, cursor: Cursor, is64: boolean) {
    this.#unit = unit;
    this.#cursor = cursor;
    this.#version = cursor.u16();
    if (this.#version >= 5) cursor.take(2); // address_size, segment_selector_size
    const headerBytes = is64 ? cursor.u64() : cursor.u32();
    this.#programAt = cursor.at + headerBytes;
    this.#minimum = cursor.u8();
    if (this.#version >= 4) cursor.u8(); // maximum_operations_per_instruction: 1 but on VLIW machines
    cursor.u8(); // default_is_stmt
    this.#lineBase = (cursor.u8() << 24) >> 24;
    this.#lineRange = cursor.u8() || 1;
    this.#operands = Array.from({ length: cursor.u8() - 1 }, () => cursor.u8());
    if (this.#version >= 5) this.#tables(is64);
    else this.#oldTables();
  }

  /** As the compiler knew it, with its directory; null for a number that is not there. */
  file(number: number): string | null {
    const found = this.#files[this.#version >= 5 ? number : number - 1];
    if (!found) return null;
    const directory = this.#directories[found.directory];
    return found.name.startsWith("/") || !directory ? found.name : `${directory}/${found.name}`;
  }

  #oldTables(): void {
    this.#directories.push(this.#unit.text(this.#unit.root.attributes.get(AT.compDir)) ?? "");
    while (this.#directories.length < MAX_FILES) {
      const name = latin(this.#cursor.text());
      if (name === "") break;
      this.#directories.push(name);
    }
    while (this.#files.length < MAX_FILES) {
      const name = latin(this.#cursor.text());
      if (name === "") return;
      this.#files.push({ name, directory: this.#cursor.uleb() });
      this.#cursor.uleb(); // time
      this.#cursor.uleb(); // size
    }
  }

  #tables(is64: boolean): void {
    for (const { name } of this.#table(is64)) this.#directories.push(name);
    this.#files.push(...this.#table(is64));
  }

  #table(is64: boolean): { name: string; directory: number }[] {
    const cursor = this.#cursor;
    const formats = Array.from({ length: cursor.u8() }, () => ({ content: cursor.uleb(), form: cursor.uleb() }));
    const count = cursor.uleb();
    if (count > MAX_FILES) throw new RangeError("too many files");
    return Array.from({ length: count }, () => {
      let [name, directory] = ["", 0];
      for (const { content, form } of formats) {
        const value = this.#field(form, is64);
        if (content === 1 && typeof value === "string") name = value;
        if (content === 2 && typeof value === "number") directory = value;
      }
      return { name, directory };
    });
  }

  #field(form: number, is64: boolean): string | number {
    const cursor = this.#cursor;
    if (form === 0x08) return latin(cursor.text());
    if (form === 0x0e || form === 0x1f) {
      const offset = is64 ? cursor.u64() : cursor.u32();
      return this.#unit.sections.text(form === 0x0e ? "debug_str" : "debug_line_str", offset) ?? "";
    }
    if (form === 0x0b) return cursor.u8();
    if (form === 0x05) return cursor.u16();
    if (form === 0x06) return cursor.u32();
    if (form === 0x0f) return cursor.uleb();
    if (form === 0x1e) return cursor.take(16).length; // MD5
    if (form === 0x09) return cursor.take(cursor.uleb()).length;
    throw new RangeError("an unknown form");
  }

  /** The row that holds the address. */
  lineOf(vaddr: number): Line | undefined {
    const run = { address: 0, file: 1, line: 1, ended: false };
    let last: (Line & { address: number }) | undefined;
    this.#cursor.at = this.#programAt;
    for (let steps = 0; !this.#cursor.ended && steps < MAX_STEPS; steps++) {
      if (!this.#step(run)) continue;
      if (last && last.address <= vaddr && vaddr < run.address) return last;
      last = run.ended ? undefined : { address: run.address, file: run.file, line: run.line };
      if (run.ended) Object.assign(run, { address: 0, file: 1, line: 1, ended: false });
    }
    return undefined;
  }

  /** One operation. @returns whether it made a row */
  #step(run: { address: number; file: number; line: number; ended: boolean }): boolean {
    const cursor = this.#cursor;
    const op = cursor.u8();
    if (op > this.#operands.length) {
      const special = op - this.#operands.length - 1;
      run.address += Math.floor(special / this.#lineRange) * this.#minimum;
      run.line += this.#lineBase + (special % this.#lineRange);
      return true;
    }
    if (op === 0) return this.#extended(run);
    if (op === 1) return true; // copy
    if (op === 2) run.address += cursor.uleb() * this.#minimum;
    else if (op === 3) run.line += cursor.sleb();
    else if (op === 4) run.file = cursor.uleb();
    else if (op === 8) run.address += Math.floor((255 - this.#operands.length - 1) / this.#lineRange) * this.#minimum;
    else if (op === 9) run.address += cursor.u16();
    else for (let i = this.#operands[op - 1] ?? 0; i > 0; i--) cursor.uleb();
    return false;
  }

  #extended(run: { address: number; ended: boolean }): boolean {
    const length = this.#cursor.uleb();
    const from = this.#cursor.at;
    const op = length > 0 ? this.#cursor.u8() : 0;
    if (op === 2) run.address = this.#cursor.word();
    this.#cursor.at = from + length;
    run.ended = op === 1;
    return run.ended;
  }
}

const latin = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
