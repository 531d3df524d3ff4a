/**
 * Whether an address is where a call returns to, and where that call leads: what tells a return address on the stack from any other
 * word that looks like one.
 */
import type { Context } from "./context.ts";

/** The call before a return address: `to` is undefined where it goes through a register or memory that is not known. */
interface Call {
  readonly to: bigint | undefined;
  readonly direct: boolean;
}

/** @returns undefined where no call instruction ends there */
export function callBefore(context: Context, address: bigint): Call | undefined {
  if (!context.isExecutable(address - 1n)) return undefined;
  return context.arch.name === "aarch64" ? armCall(context, address) : x86Call(context, address);
}

function x86Call(context: Context, address: bigint): Call | undefined {
  const bytes = context.memory.bytes(address - 7n, 7);
  if (!bytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 7);
  if (bytes[2] === 0xe8) return { to: moved(context, address, view.getInt32(3, true)), direct: true };
  if (bytes[1] === 0xff && bytes[2] === 0x15)
    return { to: throughGot(context, address, view.getInt32(3, true)), direct: false };
  // call *r/m: FF /2; by how many bytes its address takes
  for (const length of [2, 3, 4, 6, 7]) {
    const at = 7 - length;
    if (
      bytes[at] === 0xff &&
      ((bytes[at + 1] ?? 0) & 0x38) === 0x10 &&
      modrmBytes(bytes[at + 1] ?? 0, bytes[at + 2] ?? 0) === length - 1
    )
      return { to: undefined, direct: false };
  }
  return undefined;
}

/** Length of ModRM, SIB and displacement (Intel SDM, volume 2, 2.1.5). */
function modrmBytes(modrm: number, sib: number): number {
  const [mode, rm] = [modrm >> 6, modrm & 7];
  if (mode === 3) return 1;
  const withSib = rm === 4 ? 1 : 0;
  if (mode === 0) return 1 + withSib + (rm === 5 || (withSib && (sib & 7) === 5) ? 4 : 0);
  return 1 + withSib + (mode === 1 ? 1 : 4);
}

const moved = ({ arch }: Context, address: bigint, by: number): bigint =>
  BigInt.asUintN(arch.bits, address + BigInt(by));

function throughGot(context: Context, next: bigint, displacement: number): bigint | undefined {
  const slot = context.arch.bits === 64 ? moved(context, next, displacement) : BigInt(displacement >>> 0);
  return context.memory.word(slot);
}

function armCall(context: Context, address: bigint): Call | undefined {
  const word = context.memory.number(address - 4n, 4);
  if (word === undefined) return undefined;
  if (word >> 26n === 0x25n)
    return { to: BigInt.asUintN(64, address - 4n + BigInt.asIntN(28, (word & 0x3ffffffn) << 2n)), direct: true };
  const isIndirect = (word & 0xfffffc1fn) === 0xd63f0000n || (word & 0xfefff800n) === 0xd63f0800n; // blr; blraa and its like
  return isIndirect ? { to: undefined, direct: false } : undefined;
}

/** Bytes of a function that are looked through for its tail jump. */
const MAX_TAIL_BYTES = 1024;

/** Whether a call to `to` can have led into the function [start, end): at once, by a PLT entry, or by one jump out of it. */
export function leadsTo(context: Context, to: bigint, start: bigint, end: bigint): boolean {
  const isThere = (address: bigint | undefined): boolean => address !== undefined && start <= address && address < end;
  if (isThere(to) || isThere(stub(context, to))) return true;
  const resolved = stub(context, to) ?? to;
  const callee = context.functionAt(resolved);
  const size = callee && callee.start <= resolved && callee.end > resolved ? Number(callee.end - resolved) : 64;
  return context.arch.name === "aarch64"
    ? armTail(context, resolved, size, isThere)
    : x86Tail(context, resolved, size, isThere);
}

/** Where a PLT entry jumps to: `jmp *GOT(%rip)`, perhaps with endbr or bnd before it. */
function stub(context: Context, address: bigint): bigint | undefined {
  const { arch, memory } = context;
  if (arch.name === "aarch64") return armStub(context, address);
  const bytes = memory.bytes(address, 11);
  if (!bytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 11);
  for (const at of [0, 1, 4, 5]) {
    const isPrefix =
      at === 0 ||
      (at === 1 ? bytes[0] === 0xf2 : view.getUint32(0, true) === 0xfa1e0ff3 && (at === 4 || bytes[4] === 0xf2));
    if (!isPrefix || at + 6 > 11 || bytes[at] !== 0xff) continue;
    if (bytes[at + 1] === 0x25) return throughGot(context, address + BigInt(at + 6), view.getInt32(at + 2, true));
  }
  return undefined;
}

/** adrp x16; ldr x17,[x16,#n]; add; br x17 */
function armStub(context: Context, address: bigint): bigint | undefined {
  const { memory } = context;
  const [adrp, ldr] = [memory.number(address, 4), memory.number(address + 4n, 4)];
  if (
    adrp === undefined ||
    ldr === undefined ||
    (adrp & 0x9f00001fn) !== 0x90000010n ||
    (ldr & 0xffc003ffn) !== 0xf9400211n
  )
    return undefined;
  const pages = BigInt.asIntN(21, (((adrp >> 5n) & 0x7ffffn) << 2n) | ((adrp >> 29n) & 3n));
  const slot = (address & ~0xfffn) + (pages << 12n) + (((ldr >> 10n) & 0xfffn) << 3n);
  return memory.word(BigInt.asUintN(64, slot));
}

function x86Tail(
  context: Context,
  from: bigint,
  size: number,
  isThere: (address: bigint | undefined) => boolean,
): boolean {
  context.spend(10);
  const bytes = context.memory.some(from, Math.min(size, MAX_TAIL_BYTES));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 5 <= bytes.length; at++) {
    const isJump = bytes[at] === 0xe9 || (bytes[at - 1] === 0x0f && ((bytes[at] ?? 0) & 0xf0) === 0x80); // jmp; jcc into a cold part
    if (!isJump) continue;
    const to = moved(context, from + BigInt(at + 5), view.getInt32(at + 1, true));
    if (isThere(to) || isThere(stub(context, to))) return true;
  }
  return false;
}

function armTail(
  context: Context,
  from: bigint,
  size: number,
  isThere: (address: bigint | undefined) => boolean,
): boolean {
  context.spend(10);
  const bytes = context.memory.some(from, Math.min(size, MAX_TAIL_BYTES) & ~3);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const word = BigInt(view.getUint32(at, true));
    if (word >> 26n !== 0x05n) continue; // b
    const to = BigInt.asUintN(64, from + BigInt(at) + BigInt.asIntN(28, (word & 0x3ffffffn) << 2n));
    if (isThere(to) || isThere(stub(context, to))) return true;
  }
  return false;
}
