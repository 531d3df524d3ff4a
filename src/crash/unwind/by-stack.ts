/**
 * Callers where no table tells: by the return address where a call has just left it, by the frame pointer, by looking through the
 * stack. A word of the stack counts only as far as the code before it proves a call (`unwind/calls.ts`).
 */
import type { Registers } from "../process/arch.ts";
import { callBefore, leadsTo } from "./calls.ts";
import type { Context, Frame } from "./context.ts";

/** How many words of the stack are looked through: verified, then for a call through a register. */
const SCAN_WORDS = { first: { verified: 1024, indirect: 256 }, later: { verified: 512, indirect: 128 } };

/** pc is nowhere: a call through a bad pointer. Its return address is where every call leaves it. */
export function byBadCall(context: Context, frame: Frame): Frame | undefined {
  if (!frame.exact || context.isExecutable(frame.pc)) return undefined;
  const pc = returnAddress(context, frame);
  if (pc === undefined || !callBefore(context, pc)) return undefined;
  return popped(context, frame, pc);
}

/** The return address is still where the call left it: nothing was pushed yet. */
export function byReturnAddress(context: Context, frame: Frame): Frame | undefined {
  if (!frame.exact) return undefined;
  const pc = returnAddress(context, frame);
  if (pc === undefined) return undefined;
  // Generated code calls through registers; a word that leads to after a call there is hardly anything else.
  const isCall = isVerified(context, frame, pc) || (isGenerated(context, pc) && callBefore(context, pc) !== undefined);
  return isCall ? popped(context, frame, pc) : undefined;
}

function returnAddress(context: Context, { registers }: Frame): bigint | undefined {
  const { arch, memory } = context;
  const sp = registers[arch.sp];
  if (arch.lr === undefined) return sp === undefined ? undefined : memory.word(sp);
  const lr = registers[arch.lr];
  return lr === undefined ? undefined : context.unsigned(lr);
}

function popped(context: Context, frame: Frame, pc: bigint): Frame {
  const { arch } = context;
  const sp = frame.registers[arch.sp] ?? 0n;
  return moved(context, frame, pc, arch.lr === undefined ? sp + BigInt(arch.bits / 8) : sp, "ra");
}

/** Whether the call before `address` leads into the function that pc is in, or the kernel's frame for a handler does. */
function isVerified(context: Context, frame: Frame, address: bigint): boolean {
  if (isTrampoline(context, address)) return true;
  const call = callBefore(context, address);
  const inside = rangeOf(context, frame);
  return call?.to !== undefined && inside !== undefined && leadsTo(context, call.to, inside.start, inside.end);
}

function rangeOf(context: Context, frame: Frame): { start: bigint; end: bigint } | undefined {
  return context.functionAt(frame.exact ? frame.pc : frame.pc - 1n);
}

/** The chain of frame pointers: [fp] is the caller's, the return address lies above it. */
export function byFramePointer(context: Context, frame: Frame): Frame | undefined {
  const { arch, memory } = context;
  const [fp, sp, word] = [frame.registers[arch.fp], frame.registers[arch.sp], BigInt(arch.bits / 8)];
  if (fp === undefined || sp === undefined || fp % word !== 0n || fp < sp) return undefined;
  const from = context.stackFrom(sp);
  if (from === undefined || context.process.segments.indexOf(fp) !== context.process.segments.indexOf(from))
    return undefined;
  const [next, saved] = [memory.word(fp), memory.word(fp + word)];
  const pc = saved === undefined ? undefined : context.unsigned(saved);
  if (next === undefined || pc === undefined || (next !== 0n && next <= fp)) return undefined;
  if (!isChained(context, frame, pc)) return undefined;
  if (!isVerified(context, frame, pc)) {
    // It may be the caller's own: this function did not save it, and has its return address below.
    const nearer = byScan(context, frame, Number((fp + word - from) / word));
    if (nearer) return nearer;
  }
  const caller = moved(context, frame, pc, fp + 2n * word, "fp");
  caller.registers[arch.fp] = next;
  return caller;
}

/** Whether what lies above a saved frame pointer can be where this function returns to. */
function isChained(context: Context, frame: Frame, pc: bigint): boolean {
  if (isTrampoline(context, pc)) return true;
  const call = callBefore(context, pc);
  if (!call) return isGenerated(context, frame.pc) || isGenerated(context, pc);
  if (call.to === undefined) return true;
  if (isGenerated(context, frame.pc)) return isGenerated(context, call.to);
  const inside = rangeOf(context, frame);
  return inside === undefined || leadsTo(context, call.to, inside.start, inside.end);
}

/** A signal handler returns to the trampoline, which did not call it. */
const isTrampoline = (context: Context, pc: bigint): boolean =>
  context.arch.trampolines.some(({ code }) => {
    const bytes = context.memory.bytes(pc, code.length);
    return bytes !== undefined && Buffer.compare(bytes, code) === 0;
  });

/** Code of a just-in-time compiler or interpreter, which may return to where no call is. */
export const isGenerated = (context: Context, pc: bigint): boolean =>
  context.modules.at(pc) === undefined && context.isExecutable(pc);

/** The first of so many words above sp that a call which leads here has left. */
export function byScan(context: Context, frame: Frame, words?: number): Frame | undefined {
  const { verified } = frame.exact ? SCAN_WORDS.first : SCAN_WORDS.later;
  return scanned(context, frame, Math.min(words ?? verified, verified), (address) =>
    isVerified(context, frame, address),
  );
}

/** The first word above sp that a call through a register or memory has left: nothing says where that call led. */
export function byIndirectScan(context: Context, frame: Frame): Frame | undefined {
  const { indirect } = frame.exact ? SCAN_WORDS.first : SCAN_WORDS.later;
  return scanned(context, frame, indirect, (address) => {
    const call = callBefore(context, address);
    return call !== undefined && !call.direct && call.to === undefined;
  });
}

function scanned(
  context: Context,
  frame: Frame,
  words: number,
  counts: (address: bigint) => boolean,
): Frame | undefined {
  const { arch, memory } = context;
  const [sp, word] = [frame.registers[arch.sp], arch.bits / 8];
  const stack = sp === undefined ? undefined : context.stackFrom(sp);
  if (stack === undefined) return undefined;
  const from = (stack + BigInt(word - 1)) & ~BigInt(word - 1);
  for (let i = 0; i < words; i++) {
    context.spend(1);
    const value = memory.word(from + BigInt(i * word));
    if (value === undefined) return undefined;
    const address = context.unsigned(value);
    if (address > 4096n && counts(address))
      return moved(context, frame, address, from + BigInt((i + 1) * word), "scan");
  }
  return undefined;
}

/** The caller's frame, of which only pc, sp and what calls preserve is known. */
function moved(context: Context, frame: Frame, pc: bigint, sp: bigint, trust: "ra" | "fp" | "scan"): Frame {
  const { arch } = context;
  const registers: Registers = [...frame.registers];
  registers[arch.pc] = pc;
  registers[arch.sp] = sp;
  if (arch.lr !== undefined) registers[arch.lr] = undefined;
  return { pc, registers, trust, exact: false };
}
