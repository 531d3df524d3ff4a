/** The interrupted frame below a signal handler: the kernel saved all registers on the stack, whatever CFI says of the trampoline. */
import { registersIn, type Trampoline } from "../process/arch.ts";
import type { Context, Frame } from "./context.ts";

/** @returns undefined where pc is not in a trampoline */
export function bySignal(context: Context, frame: Frame): Frame | undefined {
  const trampoline = trampolineAt(context, frame.pc);
  const sp = frame.registers[context.arch.sp];
  if (!trampoline || sp === undefined) return undefined;
  const { arch, memory } = context;
  const base = trampoline.through === undefined ? sp : memory.word(sp + BigInt(trampoline.through));
  if (base === undefined) return undefined;
  const bytes = memory.bytes(
    BigInt.asUintN(64, base + BigInt(trampoline.at)),
    (trampoline.order.length * arch.bits) / 8,
  );
  const registers = bytes && registersIn(arch, trampoline.order, bytes);
  const pc = registers?.[arch.pc];
  return registers && pc !== undefined ? { pc, registers, trust: "signal", exact: true } : undefined;
}

/** Known by its bytes alone: libraries name it differently or not at all, and the vDSO's may have no symbols. */
export function trampolineAt(context: Context, pc: bigint): Trampoline | undefined {
  return context.arch.trampolines.find(({ code, pcAt }) =>
    pcAt.some((at) => {
      const bytes = pc >= BigInt(at) ? context.memory.bytes(pc - BigInt(at), code.length) : undefined;
      return bytes !== undefined && Buffer.compare(bytes, code) === 0;
    }),
  );
}
