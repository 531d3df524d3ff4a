/** What the rules of a step share: the process, its memory and modules, and what was looked up already. */

import type { Trust } from "../../domain/crash.ts";
import { type EntryFinder, findersOf } from "../dwarf/find-entry.ts";
import type { FrameEntry } from "../dwarf/frame-entries.ts";
import { DebugInfo } from "../dwarf/places.ts";
import { GoTable } from "../go/pclntab.ts";
import type { Image } from "../image/image.ts";
import type { Module, Modules } from "../image/modules.ts";
import { symbolsOf } from "../image/symbols.ts";
import type { Arch, Registers } from "../process/arch.ts";
import type { ProcessState } from "../process/core.ts";
import type { Memory } from "../process/memory.ts";

/** One frame while the stack is walked. */
export interface Frame {
  readonly pc: bigint;
  readonly registers: Registers;
  readonly trust: Trust;
  /** pc is that of an interrupted instruction, not a return address: what it is in is looked up at pc, else at pc - 1. */
  readonly exact: boolean;
}

/** The outcome of one step: the caller, or that this was the last frame. */
export type Caller = Frame | "end";

interface CodeRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** Some seconds at worst. */
const MAX_STEPS = 4_000_000;

export class Exhausted extends Error {}

const MAX_LOOKUPS = 4096;
/** A function with large variables steps over the guard page. */
const MAX_OVERFLOW = 1n << 20n;

export class Context {
  readonly process: ProcessState;
  readonly arch: Arch;
  readonly memory: Memory;
  readonly modules: Modules;
  readonly #finders = new Map<Module, EntryFinder[]>();
  readonly #goTables = new Map<Module, GoTable | undefined>();
  readonly #debug = new Map<Module, DebugInfo | undefined>();
  #left = MAX_STEPS;
  readonly #functions = new Map<bigint, CodeRange | undefined>();

  constructor(process: ProcessState, memory: Memory, modules: Modules) {
    this.process = process;
    this.arch = process.arch;
    this.memory = memory;
    this.modules = modules;
  }

  /** An instruction's address without arm64's pointer authentication: by the core's mask, else by 48 bits of addresses. */
  unsigned(address: bigint): bigint {
    if (this.arch.name !== "aarch64") return address;
    return address & ~(this.process.threads[0]?.pacMask ?? 0xffff000000000000n);
  }

  /** Where code may lie that was not loaded from a file, too. */
  isExecutable(address: bigint): boolean {
    return this.process.segments.at(address)?.executable ?? this.modules.hasCode(address);
  }

  /** Go's tables of the module, where it has some. */
  goTable(module: Module): GoTable | undefined {
    if (!this.#goTables.has(module)) {
      const word = (vaddr: number): number | undefined => {
        const value = this.memory.word(this.#moved(module, vaddr));
        return value === undefined ? undefined : this.vaddrIn(module, value);
      };
      const { image } = module;
      this.#goTables.set(module, image && attempted(() => GoTable.of(image, word)));
    }
    return this.#goTables.get(module);
  }

  /** Debug information of the module, where the file has some. */
  debugInfo(module: Module): DebugInfo | undefined {
    const { image } = module;
    if (!this.#debug.has(module)) this.#debug.set(module, image && attempted(() => DebugInfo.of(image)));
    return this.#debug.get(module);
  }

  /** The Go function that a frame is in. */
  goAt({ pc, exact }: Pick<Frame, "pc" | "exact">) {
    const at = exact ? pc : pc - 1n;
    const module = this.modules.at(at);
    const table = module && this.goTable(module);
    if (!module || !table) return undefined;
    const vaddr = this.vaddrIn(module, at);
    const found = attempted(() => table.find(vaddr));
    return found && { module, table, function: found, vaddr };
  }

  /** Where the thread-local data of the thread begins whose registers the first frame has. */
  tlsOf([first]: readonly Frame[]): bigint | undefined {
    return this.process.threads.find(({ registers }) => registers === first?.registers)?.tls;
  }

  /**
   * Looking through stacks and tables for what no compiler wrote down may take so much and no more, whatever the core claims.
   * @param steps about a microsecond each
   * @throws Exhausted when it is used up: the walk ends there
   */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new Exhausted();
  }

  /** Where the stack that sp is on begins: after an overflow sp lies below it. undefined: sp is on none. */
  stackFrom(sp: bigint): bigint | undefined {
    const { segments } = this.process;
    if (segments.indexOf(sp) >= 0) return sp;
    const next = segments.after(sp);
    return next !== undefined && next.start - sp <= MAX_OVERFLOW ? next.start : undefined;
  }

  vaddrIn(module: Module, address: bigint): number {
    return Number(BigInt.asUintN(this.arch.bits, address - module.bias));
  }

  entryAt(module: Module, vaddr: number): FrameEntry | undefined {
    if (!module.image) return undefined;
    const finders = this.#finders.get(module) ?? findersOf(module.image);
    this.#finders.set(module, finders);
    for (const finder of finders) {
      const entry = attempted(() => finder.below(vaddr));
      if (entry && vaddr < entry.end) return entry;
    }
    return undefined;
  }

  /**
   * First address and end of the function that holds the address, as CFI or symbols tell; where they do not, of the gap between those
   * functions that they know, up to the address.
   */
  functionAt(address: bigint): CodeRange | undefined {
    if (this.#functions.has(address)) return this.#functions.get(address);
    const module = this.modules.at(address);
    const found = module?.image && this.#rangeIn(module, module.image, this.vaddrIn(module, address));
    const range = found && { start: this.#moved(module, found.start), end: this.#moved(module, found.end) };
    if (this.#functions.size < MAX_LOOKUPS) this.#functions.set(address, range);
    return range;
  }

  #rangeIn(module: Module, image: Image, vaddr: number): { start: number; end: number } | undefined {
    const entry = this.entryAt(module, vaddr);
    if (entry) return entry;
    this.spend(10 + tableBytesOf(image) / 256);
    const below = new Map<number, number>();
    const symbol = attempted(() => symbolsOf(image, [vaddr], below).get(vaddr));
    if (symbol) return symbol;
    const ends = (this.#finders.get(module) ?? []).map((finder) => attempted(() => finder.below(vaddr))?.end ?? 0);
    const start = Math.max(below.get(vaddr) ?? 0, ...ends);
    return start > 0 ? { start, end: vaddr + 1 } : undefined;
  }

  #moved(module: Module, vaddr: number): bigint {
    return BigInt.asUintN(this.arch.bits, module.bias + BigInt(vaddr));
  }
}

/** One broken table is as if it were not there. */
export function attempted<T>(act: () => T | undefined): T | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof Exhausted) throw error;
    return undefined;
  }
}

const tableBytesOf = ({ sections }: Image): number =>
  [".symtab", ".dynsym", ".gnu_debugdata"].reduce(
    (sum, name) => sum + Math.min(sections.get(name)?.bytes ?? 0, 64 << 20),
    0,
  );
