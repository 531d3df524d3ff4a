/** The caller by call frame information: what the compiler wrote for exceptions and debuggers. */
import { evaluate, type Surroundings } from "../dwarf/expression.ts";
import { type CfaRule, type Row, type Rule, rowAt } from "../dwarf/frame-rows.ts";
import type { Module } from "../image/modules.ts";
import type { Registers } from "../process/arch.ts";
import type { Caller, Context, Frame } from "./context.ts";

const AT_ENTRY = 9;

/** @returns undefined where there is none for this pc, or what it needs is not known */
export function byCfi(context: Context, frame: Frame): Caller | undefined {
  const at = frame.exact ? frame.pc : frame.pc - 1n;
  const module = context.modules.at(at);
  const vaddr = module && context.vaddrIn(module, at);
  const entry = module && vaddr !== undefined ? context.entryAt(module, vaddr) : undefined;
  if (!module || vaddr === undefined || !entry) return undefined;
  context.spend(1 + (entry.initial.length + entry.instructions.length) / 64);
  const row = rowAt(entry, vaddr, module.image?.header ?? { littleEndian: true, bits: 64 });
  const returnRule = row.rules.get(entry.returnAddress);
  if (returnRule?.kind === "undefined") return "end";
  const registers = unwound(context, module, frame.registers, row);
  if (!registers) return undefined;
  const pc = returnTo(context, registers, row, entry.returnAddress);
  if (pc === 0n || isEntry(context, module, entry.start)) return "end";
  if (pc === undefined || !isDeeper(context, frame, registers, pc, entry.isSignalFrame)) return undefined;
  registers[context.arch.pc] = pc;
  return { pc, registers, trust: entry.isSignalFrame ? "signal" : "cfi", exact: entry.isSignalFrame };
}

/** _start has no caller; older ones do not say so. */
function isEntry({ process }: Context, module: Module, start: number): boolean {
  return process.auxv.get(AT_ENTRY) === BigInt.asUintN(64, module.bias + BigInt(start));
}

function unwound(context: Context, module: Module, old: Registers, row: Row): Registers | undefined {
  const { arch, memory } = context;
  const around = { registers: old, memory, bits: arch.bits, bias: module.bias };
  const cfa = row.cfa && cfaOf(row.cfa, around);
  if (cfa === undefined) return undefined;
  const registers = [...old];
  registers[arch.sp] = cfa; // unless a rule says otherwise
  for (const [number, rule] of row.rules)
    if (number < arch.count) registers[number] = restored(rule, old[number], cfa, around);
  return registers;
}

function cfaOf(rule: CfaRule, around: Surroundings): bigint | undefined {
  if ("expression" in rule) return evaluate(rule.expression, around, []);
  const base = around.registers[rule.register];
  return base === undefined ? undefined : BigInt.asUintN(around.bits, base + BigInt(rule.offset));
}

function restored(rule: Rule, old: bigint | undefined, cfa: bigint, around: Surroundings): bigint | undefined {
  switch (rule.kind) {
    case "undefined":
      return undefined;
    case "same":
      return old;
    case "register":
      return around.registers[rule.register];
    case "offset":
      return around.memory.word(BigInt.asUintN(around.bits, cfa + BigInt(rule.offset)));
    case "valOffset":
      return BigInt.asUintN(around.bits, cfa + BigInt(rule.offset));
    default: {
      const value = evaluate(rule.expression, around, [cfa]);
      return rule.kind === "valExpression" || value === undefined ? value : around.memory.word(value);
    }
  }
}

/** The return address, without the signature that arm64 may have put into it. */
function returnTo(context: Context, registers: Registers, row: Row, column: number): bigint | undefined {
  const { arch } = context;
  if (arch.lr === undefined && !row.rules.has(column)) return undefined;
  const value = registers[column];
  return value === undefined || arch.lr === undefined ? value : context.unsigned(value);
}

/** Callers lie higher; only a signal handler may run on another stack. */
function isDeeper(context: Context, frame: Frame, registers: Registers, pc: bigint, isSignalFrame: boolean): boolean {
  const { sp } = context.arch;
  const [before, after] = [frame.registers[sp], registers[sp]];
  if (isSignalFrame || before === undefined || after === undefined) return after !== undefined;
  return after > before || (after === before && pc !== frame.pc && frame.exact);
}
