/**
 * The C structures inside a core's notes (linux/elfcore.h, asm-generic/siginfo.h). Up to the fields wanted here they
 * are laid out by the word size alone: x86_64, aarch64, s390x and ppc64 are alike, and so are i386, x32 and arm.
 * Each function answers undefined where the bytes are too few to be one.
 */
import { fieldsOf } from "./bytes.ts";

export type Abi = { readonly bits: 32 | 64; readonly littleEndian: boolean };

/** struct elf_prstatus, up to pr_pid; the registers after it are the debugger's business. */
export const PRSTATUS_BYTES = { 32: 28, 64: 36 } as const;

export function threadIn(desc: Uint8Array, abi: Abi): { readonly tid: number; readonly signal: number } | undefined {
  const bytes = PRSTATUS_BYTES[abi.bits];
  if (desc.length < bytes) return undefined;
  const field = fieldsOf(desc, abi);
  return { tid: field.i32(bytes - 4), signal: field.u16(12) }; // pr_cursig
}

/** siginfo_t, up to si_addr. */
export const SIGINFO_BYTES = { 32: 16, 64: 24 } as const;

export interface SignalInfo {
  readonly number: number;
  readonly code: number;
  /** Means something for faults only; elsewhere other fields of the union lie here. */
  readonly address: bigint;
}

export function signalIn(desc: Uint8Array, abi: Abi): SignalInfo | undefined {
  const bytes = SIGINFO_BYTES[abi.bits];
  if (desc.length < bytes) return undefined;
  const field = fieldsOf(desc, abi);
  return { number: field.i32(0), code: field.i32(8), address: field.word(bytes - abi.bits / 8) };
}

/** struct elf_prpsinfo, whole: its length tells how wide its ids are. */
export const MAX_PRPSINFO_BYTES = 136;

export interface ProcessInfo {
  readonly pid: number;
  /** Real ids, in the process's own user namespace. */
  readonly uid: number;
  readonly gid: number;
  /** pr_fname and pr_psargs: bytes that the process chose, at most 15 and 79, none of them NUL. */
  readonly comm: Uint8Array;
  readonly arguments: Uint8Array;
}

/** By length: where pr_uid is and how many bytes it takes (i386 and arm still have 16-bit ids here). */
const PRPSINFO: Readonly<Record<number, { bits: 32 | 64; uid: number; idBytes: 2 | 4 }>> = {
  136: { bits: 64, uid: 16, idBytes: 4 },
  128: { bits: 32, uid: 8, idBytes: 4 },
  124: { bits: 32, uid: 8, idBytes: 2 },
};

export function processIn(desc: Uint8Array, abi: Abi): ProcessInfo | undefined {
  const layout = PRPSINFO[desc.length];
  if (layout?.bits !== abi.bits) return undefined;
  const field = fieldsOf(desc, abi);
  const { uid, idBytes } = layout;
  const id = idBytes === 2 ? field.u16 : field.u32;
  const pid = uid + 2 * idBytes;
  const fname = pid + 16; // after pr_pid, pr_ppid, pr_pgrp, pr_sid
  return {
    pid: field.i32(pid),
    uid: id(uid),
    gid: id(uid + idBytes),
    comm: new Uint8Array(before0(desc.subarray(fname, fname + 16))), // copies: the note is gone after its visit
    arguments: new Uint8Array(before0(desc.subarray(fname + 16, fname + 96))),
  };
}

/** A C string in a field of fixed length. */
export function before0(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}
