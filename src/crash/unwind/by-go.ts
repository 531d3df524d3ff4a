/** The caller of Go code, by Go's own tables; and over the switches between a goroutine's stack and its thread's. */
import type { GoFunction, GoTable } from "../go/pclntab.ts";
import type { Module } from "../image/modules.ts";
import type { Registers } from "../process/arch.ts";
import { callBefore, leadsTo } from "./calls.ts";
import type { Caller, Context, Frame } from "./context.ts";

interface InGo {
  readonly module: Module;
  readonly table: GoTable;
  readonly function: GoFunction;
  readonly vaddr: number;
}

/** @param frames all that were found so far: `frame` is the last */
export function byGo(context: Context, frame: Frame, frames: readonly Frame[]): Caller | undefined {
  const here = context.goAt(frame);
  if (!here) return undefined;
  const { name } = here.function;
  if (/^runtime\.(systemstack|asmcgocall)(\.abi0)?$/.test(name)) return bySwitch(context, frame, here);
  if (/^runtime\.morestack(\.abi0)?$/.test(name)) return byOverflow(context, frame, frames);
  if (/^runtime\.mcall(\.abi0)?$/.test(name)) return "end";
  if (here.function.isTop && !name.startsWith("runtime.sigtramp")) return "end";
  return byFrameBytes(context, frame, here);
}

function byFrameBytes(context: Context, frame: Frame, { table, function: of, vaddr }: InGo): Frame | undefined {
  const { arch, memory } = context;
  const [sp, size] = [frame.registers[arch.sp], table.frameBytes(of, vaddr)];
  if (sp === undefined || size === undefined || size < 0) return undefined;
  const top = sp + BigInt(size);
  const isLeaf = arch.lr !== undefined && size === 0;
  const pc = isLeaf ? frame.registers[arch.lr ?? 0] : memory.word(arch.lr === undefined ? top : sp);
  if (pc === undefined) return undefined;
  const caller = moved(context, frame, pc, arch.lr === undefined ? top + 8n : top, of.name);
  // The prologue saves the frame pointer next to the return address (cmd/internal/obj: x86 above the frame, arm64 below it).
  const saved = size > 0 ? memory.word(arch.lr === undefined ? top - 8n : sp - 8n) : undefined;
  if (saved !== undefined) caller.registers[arch.fp] = saved;
  return caller;
}

function moved(context: Context, frame: Frame, pc: bigint, sp: bigint, of: string): Frame {
  const { arch } = context;
  const registers: Registers = [...frame.registers];
  registers[arch.pc] = pc;
  registers[arch.sp] = sp;
  if (arch.lr !== undefined) registers[arch.lr] = undefined;
  // The run-time makes a fault look like a call of sigpanic by the instruction that failed.
  return { pc, registers, trust: "go", exact: of === "runtime.sigpanic" };
}

const MAX_FRAME_WORDS = 8192;

/**
 * systemstack and asmcgocall went to the thread's stack and left the frame pointer as it was: their caller's. Below it, at the end of a
 * frame whose size fits, lies where that call returns to.
 */
function bySwitch(context: Context, frame: Frame, here: InGo): Caller | undefined {
  const { arch, memory } = context;
  const fp = frame.registers[arch.fp];
  if (fp === undefined || arch.lr !== undefined) return "end";
  const start = here.module.bias + BigInt(here.function.start);
  const end = here.module.bias + BigInt(here.function.end);
  for (let i = 1n; i < BigInt(MAX_FRAME_WORDS); i++) {
    context.spend(1);
    const at = fp - 8n * i;
    const pc = memory.word(at);
    if (pc === undefined) return "end";
    const call = callBefore(context, pc);
    if (call?.to === undefined || !leadsTo(context, call.to, start, end)) continue;
    const caller = context.goAt({ pc, exact: false });
    const size = caller?.table.frameBytes(caller.function, caller.vaddr);
    if (size !== undefined && at + 8n + BigInt(size) === fp + 8n)
      return { ...moved(context, frame, pc, at + 8n, ""), trust: "go" };
  }
  return "end";
}

/** runtime.g: stack 0, m 48, sched.sp 56, sched.pc 64; runtime.m: g0 0 (runtime/runtime2.go). */
const G = { low: 0n, high: 8n, m: 48n, sp: 56n, pc: 64n };
const M_WORDS = 64n;

/**
 * morestack runs on the thread's stack. Where it threw, the goroutine whose stack was full is the m's own, and waits where its sched says;
 * where it did not, what lies below is an older call's.
 */
function byOverflow(context: Context, frame: Frame, frames: readonly Frame[]): Caller {
  const { arch, memory } = context;
  const isThrowing = frames.some((each) => context.goAt(each)?.function.name === "runtime.throw");
  const g = memory.word((context.tlsOf(frames) ?? 0n) - 8n);
  const m = g === undefined ? undefined : memory.word(g + G.m);
  if (!isThrowing || m === undefined || arch.name !== "x86_64") return "end";
  const g0 = memory.word(m);
  for (let i = 1n; i < M_WORDS; i++) {
    const other = memory.word(m + 8n * i);
    if (other === undefined || other === g0 || memory.word(other + G.m) !== m) continue;
    const [low, high, sp, pc] = [G.low, G.high, G.sp, G.pc].map((at) => memory.word(other + at));
    if (low === undefined || high === undefined || sp === undefined || pc === undefined || sp < low || sp >= high)
      continue;
    if (context.goAt({ pc, exact: true })) return moved(context, frame, pc, sp, "runtime.sigpanic");
  }
  return "end";
}
