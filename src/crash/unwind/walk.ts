/** From the crashed instruction to the bottom of the stack, frame by frame. */
import type { Registers } from "../process/arch.ts";
import { byCfi } from "./by-cfi.ts";
import { byGo } from "./by-go.ts";
import { bySignal } from "./by-signal.ts";
import { byBadCall, byFramePointer, byIndirectScan, byReturnAddress, byScan } from "./by-stack.ts";
import { attempted, type Caller, type Context, Exhausted, type Frame } from "./context.ts";

/** In this order: the first rule that answers counts. */
const RULES: readonly ((context: Context, frame: Frame, frames: readonly Frame[]) => Caller | undefined)[] = [
  bySignal,
  byGo,
  byCfi,
  byBadCall,
  byReturnAddress,
  byFramePointer,
  (context, frame) => byScan(context, frame),
  byIndirectScan,
];

export interface Walked {
  readonly frames: readonly Frame[];
  /** It was cut at `max` frames, or took too long. */
  readonly deeper: boolean;
  /** The stack's bottom was reached: the last frame has no caller. */
  readonly ended: boolean;
}

export function walk(context: Context, registers: Registers, max: number): Walked {
  const pc = registers[context.arch.pc] ?? 0n;
  const frames: Frame[] = [{ pc, registers, trust: "context", exact: true }];
  for (;;) {
    const frame = frames.at(-1);
    const caller = frame && orExhausted(() => callerOf(context, frame, frames));
    if (caller === "exhausted") return { frames, deeper: true, ended: false };
    if (!caller || caller === "end") return { frames, deeper: false, ended: caller === "end" };
    if (frames.length === max) return { frames, deeper: true, ended: false };
    frames.push(caller);
  }
}

function orExhausted<T>(act: () => T): T | "exhausted" {
  try {
    return act();
  } catch (error) {
    if (error instanceof Exhausted) return "exhausted";
    throw error;
  }
}

function callerOf(context: Context, frame: Frame, frames: readonly Frame[]): Caller | undefined {
  for (const rule of RULES) {
    const caller = attempted(() => rule(context, frame, frames));
    if (caller === "end" || (caller && isCode(context, caller))) return caller;
  }
  return undefined;
}

/**
 * A return address leads to after a call, or to a trampoline, which may be the first of its page; an interrupted instruction may be
 * anywhere (a call through NULL, then a signal).
 */
function isCode(context: Context, { pc, exact }: Frame): boolean {
  return exact || context.isExecutable(pc - 1n) || context.isExecutable(pc);
}
