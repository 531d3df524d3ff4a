/**
 * What differs between the processors: where a core holds the registers (struct user_regs_struct of the kernel's
 * arch/x86/include/asm/user_{32,64}.h and struct user_pt_regs of arch/arm64), DWARF's numbers for them (System V ABI, AMD64 and
 * i386 supplements; DWARF for the Arm 64-bit Architecture), and the signal frames that the kernel builds
 * (arch/x86/include/asm/sigframe.h, arch/arm64/kernel/signal.c).
 */

/** By DWARF number; undefined: not known in this frame. Unsigned, 64 bits. */
export type Registers = (bigint | undefined)[];

export interface Arch {
  readonly name: "x86_64" | "i386" | "aarch64";
  readonly bits: 32 | 64;
  /** Where in `Registers` they are; pc has a place of its own. */
  readonly pc: number;
  readonly sp: number;
  readonly fp: number;
  /** The register that a call leaves its return address in; undefined: it is on the stack. */
  readonly lr: number | undefined;
  /** How many registers unwinding knows. */
  readonly count: number;
  /** NT_PRSTATUS: where the registers begin, and for each word of them its DWARF number (-1: not needed). */
  readonly prstatus: { readonly at: number; readonly order: readonly number[] };
  /** Index of the word in pr_reg that holds the thread's TLS base; undefined: not there. */
  readonly tls: number | undefined;
  readonly trampolines: readonly Trampoline[];
}

/** Code that a signal handler returns to, known by its bytes: the interrupted registers lie on the stack. */
export interface Trampoline {
  readonly code: Uint8Array;
  /** Where pc may stand within these bytes. */
  readonly pcAt: readonly number[];
  /** From sp: first so many bytes, then optionally through the pointer there, to the first saved register. */
  readonly through?: number;
  readonly at: number;
  readonly order: readonly number[];
}

const code = (hex: string): Uint8Array => Buffer.from(hex, "hex");
const run = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

// rax 0, rdx 1, rcx 2, rbx 3, rsi 4, rdi 5, rbp 6, rsp 7, r8 … r15, rip 16
const X86_64: Arch = {
  name: "x86_64",
  bits: 64,
  pc: 16,
  sp: 7,
  fp: 6,
  lr: undefined,
  count: 17,
  prstatus: { at: 112, order: [15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5, -1, 16, -1, -1, 7] },
  tls: 21,
  trampolines: [
    {
      code: code("48c7c00f0000000f05"), // mov $15,%rax; syscall
      pcAt: [0, 7],
      at: 40, // uc_flags, uc_link, uc_stack
      order: [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16],
    },
  ],
};

// eax 0, ecx 1, edx 2, ebx 3, esp 4, ebp 5, esi 6, edi 7, eip 8
const I386_CONTEXT = [-1, -1, -1, -1, 7, 6, 5, 4, 3, 2, 1, 0, -1, -1, 8];
const I386: Arch = {
  name: "i386",
  bits: 32,
  pc: 8,
  sp: 4,
  fp: 5,
  lr: undefined,
  count: 9,
  prstatus: { at: 72, order: [3, 1, 2, 6, 7, 5, 0, -1, -1, -1, -1, -1, 8, -1, -1, 4] },
  tls: undefined,
  trampolines: [
    { code: code("58b877000000cd80"), pcAt: [0], at: 4, order: I386_CONTEXT }, // pop; mov $119,%eax; int $0x80
    { code: code("58b877000000cd80"), pcAt: [1, 6], at: 0, order: I386_CONTEXT },
    { code: code("b8ad000000cd80"), pcAt: [0, 5], through: 8, at: 20, order: I386_CONTEXT }, // mov $173,%eax; int $0x80
  ],
};

// x0 … x30, sp 31; 32 is ours for pc, 33 and 34 are DWARF's
const AARCH64: Arch = {
  name: "aarch64",
  bits: 64,
  pc: 32,
  sp: 31,
  fp: 29,
  lr: 30,
  count: 33,
  prstatus: { at: 112, order: run(0, 33) },
  tls: undefined,
  trampolines: [
    {
      code: code("681180d2010000d4"), // mov x8,#139; svc #0
      pcAt: [0, 4],
      at: 312, // siginfo 128, uc_flags, uc_link, uc_stack, sigmask to 176, fault_address
      order: run(0, 33),
    },
  ],
};

const BY_MACHINE: Readonly<Record<number, Arch>> = { 3: I386, 62: X86_64, 183: AARCH64 };

/** @param machine e_machine; undefined: this program cannot unwind it, or not in that byte order or word size (x32) */
export function archOf(header: { machine: number; bits: 32 | 64; littleEndian: boolean }): Arch | undefined {
  const arch = BY_MACHINE[header.machine];
  return arch?.bits === header.bits && header.littleEndian ? arch : undefined;
}

/** Registers as they lie in memory, one word each. @returns undefined where the bytes are too few for pc and sp */
export function registersIn(arch: Arch, order: readonly number[], bytes: Uint8Array): Registers | undefined {
  const registers: Registers = new Array(arch.count).fill(undefined);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = arch.bits / 8;
  for (const [i, number] of order.entries()) {
    if (number < 0) continue;
    if ((i + 1) * word > bytes.length) return undefined;
    registers[number] = word === 8 ? view.getBigUint64(i * 8, true) : BigInt(view.getUint32(i * 4, true));
  }
  return registers;
}
