/** The call frame instructions (DWARF 5, 6.4.2), carried out up to one pc: how to find the caller's registers there. */
import { Cursor } from "../elf/cursor.ts";
import type { FrameEntry } from "./frame-entries.ts";

export type Rule =
  | { readonly kind: "undefined" | "same" }
  | { readonly kind: "offset" | "valOffset"; readonly offset: number }
  | { readonly kind: "register"; readonly register: number }
  | { readonly kind: "expression" | "valExpression"; readonly expression: Uint8Array };

export type CfaRule = { readonly register: number; readonly offset: number } | { readonly expression: Uint8Array };

export interface Row {
  cfa: CfaRule | undefined;
  readonly rules: Map<number, Rule>;
  /** aarch64: the return address is signed (DW_CFA_AARCH64_negate_ra_state). */
  signed: boolean;
}

const MAX_STEPS = 100_000;
const MAX_REMEMBERED = 64;
const MAX_REGISTER = 256;

/** @throws RangeError where the instructions end within one, or are none */
export function rowAt(entry: FrameEntry, vaddr: number, abi: { littleEndian: boolean; bits: 32 | 64 }): Row {
  const row: Row = { cfa: undefined, rules: new Map(), signed: false };
  const machine = new Machine(entry, vaddr, row);
  machine.run(new Cursor(entry.initial, abi));
  machine.begin();
  machine.run(new Cursor(entry.instructions, abi));
  return row;
}

class Machine {
  readonly #entry: FrameEntry;
  readonly #vaddr: number;
  readonly #row: Row;
  readonly #remembered: { cfa: CfaRule | undefined; rules: [number, Rule][]; signed: boolean }[] = [];
  #initial = new Map<number, Rule>();
  #location: number;
  #steps = 0;

  constructor(entry: FrameEntry, vaddr: number, row: Row) {
    this.#entry = entry;
    this.#vaddr = vaddr;
    this.#row = row;
    this.#location = entry.start;
  }

  /** What DW_CFA_restore goes back to. */
  begin(): void {
    this.#initial = new Map(this.#row.rules);
  }

  run(cursor: Cursor): void {
    while (!cursor.ended && this.#location <= this.#vaddr) {
      if (++this.#steps > MAX_STEPS) throw new RangeError("too many instructions");
      const op = cursor.u8();
      const low = op & 0x3f;
      if (op >> 6 === 1) this.#advance(low);
      else if (op >> 6 === 2) this.#set(low, { kind: "offset", offset: cursor.uleb() * this.#entry.dataAlign });
      else if (op >> 6 === 3) this.#restore(low);
      else if (!this.#place(op, cursor) && !this.#cfa(op, cursor) && !this.#rule(op, cursor))
        throw new RangeError("an unknown instruction");
    }
  }

  #advance(delta: number): void {
    this.#location += delta * this.#entry.codeAlign;
  }

  #set(register: number, rule: Rule): void {
    if (register <= MAX_REGISTER) this.#row.rules.set(register, rule);
  }

  #restore(register: number): void {
    const rule = this.#initial.get(register);
    if (rule) this.#row.rules.set(register, rule);
    else this.#row.rules.delete(register);
  }

  #place(op: number, cursor: Cursor): boolean {
    if (op === 0x00) return true; // nop
    if (op === 0x01) this.#location = cursor.pointer(this.#entry.pointerEncoding);
    else if (op === 0x02) this.#advance(cursor.u8());
    else if (op === 0x03) this.#advance(cursor.u16());
    else if (op === 0x04) this.#advance(cursor.u32());
    else if (op === 0x2d)
      this.#row.signed = !this.#row.signed; // AARCH64_negate_ra_state; GNU_window_save elsewhere
    else if (op === 0x2e)
      cursor.uleb(); // GNU_args_size
    else return false;
    return true;
  }

  #cfa(op: number, cursor: Cursor): boolean {
    const { cfa } = this.#row;
    const align = this.#entry.dataAlign;
    if (op === 0x0c) this.#row.cfa = { register: cursor.uleb(), offset: cursor.uleb() };
    else if (op === 0x12) this.#row.cfa = { register: cursor.uleb(), offset: cursor.sleb() * align };
    else if (op === 0x0f) this.#row.cfa = { expression: cursor.take(cursor.uleb()) };
    else if (op === 0x0d) this.#row.cfa = { register: cursor.uleb(), offset: cfa && "offset" in cfa ? cfa.offset : 0 };
    else if (op === 0x0e) this.#cfaOffset(cursor.uleb());
    else if (op === 0x13) this.#cfaOffset(cursor.sleb() * align);
    else return false;
    return true;
  }

  #cfaOffset(offset: number): void {
    const { cfa } = this.#row;
    if (cfa && "register" in cfa) this.#row.cfa = { register: cfa.register, offset };
  }

  #rule(op: number, cursor: Cursor): boolean {
    if (op === 0x0a) return this.#remember();
    if (op === 0x0b) return this.#recall();
    if (![0x05, 0x06, 0x07, 0x08, 0x09, 0x10, 0x11, 0x14, 0x15, 0x16, 0x2f].includes(op)) return false;
    const register = cursor.uleb();
    const align = this.#entry.dataAlign;
    if (op === 0x05) this.#set(register, { kind: "offset", offset: cursor.uleb() * align });
    else if (op === 0x06) this.#restore(register);
    else if (op === 0x07) this.#set(register, { kind: "undefined" });
    else if (op === 0x08) this.#set(register, { kind: "same" });
    else if (op === 0x09) this.#set(register, { kind: "register", register: cursor.uleb() });
    else if (op === 0x10) this.#set(register, { kind: "expression", expression: cursor.take(cursor.uleb()) });
    else if (op === 0x11) this.#set(register, { kind: "offset", offset: cursor.sleb() * align });
    else if (op === 0x14) this.#set(register, { kind: "valOffset", offset: cursor.uleb() * align });
    else if (op === 0x15) this.#set(register, { kind: "valOffset", offset: cursor.sleb() * align });
    else if (op === 0x16) this.#set(register, { kind: "valExpression", expression: cursor.take(cursor.uleb()) });
    else this.#set(register, { kind: "offset", offset: -cursor.uleb() * align }); // GNU_negative_offset_extended
    return true;
  }

  #remember(): boolean {
    if (this.#remembered.length === MAX_REMEMBERED) throw new RangeError("too many remembered states");
    const { cfa, rules, signed } = this.#row;
    this.#remembered.push({ cfa, rules: [...rules], signed });
    return true;
  }

  #recall(): boolean {
    const state = this.#remembered.pop();
    if (!state) throw new RangeError("no remembered state");
    this.#row.cfa = state.cfa;
    this.#row.signed = state.signed;
    this.#row.rules.clear();
    for (const [register, rule] of state.rules) this.#row.rules.set(register, rule);
    return true;
  }
}
