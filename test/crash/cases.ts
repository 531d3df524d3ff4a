/**
 * The corpus as data: programs × builds × ways to crash → the functions that must be on the stack, from the crash outwards. The lists
 * are written from the sources in programs/, not taken from any debugger.
 */
export interface Case {
  /** Word of the command line. */
  readonly how: string;
  /** Functions of the program; `<signal>`: the kernel's frame between a handler and what it interrupted. */
  readonly expect: readonly string[];
  /** The stack is broken, so that not all need be found; but nothing else, and in this order. */
  readonly some?: true;
  /** The list goes on and on with its last names. */
  readonly recursive?: true;
  /** Code is generated or assembled for this processor. */
  readonly only?: "x86";
}

const chain = (last: number): string[] => Array.from({ length: last }, (_, i) => `deep${last - i}`);

export const C_CASES: readonly Case[] = [
  { how: "deep", expect: [...chain(8), "main"] },
  { how: "wild", expect: ["through", "call_bad", "wild", "main"] },
  { how: "null", expect: ["through", "call_bad", "badly", "main"] },
  { how: "jump", expect: ["jumps", "call_null", "main"] },
  { how: "abort", expect: ["aborts", "call_abort", "main"] },
  { how: "twice", expect: ["twice", "call_twice", "main"] },
  { how: "divide", expect: ["divides", "call_divide", "main"] },
  { how: "trap", expect: ["traps", "call_trap", "main"] },
  { how: "vla", expect: ["deep8", "varies", "call_vla", "main"] },
  { how: "aligned", expect: ["deep8", "aligned", "call_aligned", "main"] },
  { how: "strlen", expect: ["lengths", "call_strlen", "main"] },
  { how: "memcpy", expect: ["copies", "call_memcpy", "main"] },
  { how: "qsort", expect: ["compare", "sorts", "call_qsort", "main"] },
  { how: "overflow", expect: ["overflow"], recursive: true },
  { how: "mutual", expect: ["ping", "pong"], recursive: true },
  { how: "noreturn", expect: ["dies", "last_call", "call_noreturn", "main"] },
  {
    how: "handler",
    expect: ["handles", "on_signal", "<signal>", "interrupted", "call_interrupted", "handler", "main"],
  },
  {
    how: "alternative",
    expect: ["handles", "on_signal", "<signal>", "interrupted", "call_interrupted", "alternative", "main"],
  },
  { how: "reraise", expect: ["on_signal_again", "<signal>", "interrupted", "call_interrupted", "reraise", "main"] },
  { how: "repend", expect: ["interrupted", "call_interrupted", "repend", "main"] },
  { how: "clock", expect: ["at_clock", "call_clock", "main"] },
  { how: "threads", expect: ["deep8", "deep7", "works"] },
  { how: "leader", expect: ["deep8", "deep7", "works"] },
  { how: "smash", expect: ["smashes", "call_smash", "main"], some: true },
  { how: "jit_fp", expect: ["deep8", "generated", "jit_fp", "main"], only: "x86" },
  { how: "jit_bare", expect: ["deep8", "generated", "jit_bare", "main"], only: "x86" },
  { how: "asm_fp", expect: ["deep8", "from_asm", "asm_fp", "call_asm_fp", "main"], only: "x86" },
  { how: "asm_bare", expect: ["deep8", "from_asm", "asm_bare", "call_asm_bare", "main"], only: "x86" },
];

export interface Build {
  readonly name: string;
  readonly source: string;
  /** Without source and output. */
  readonly command: readonly string[];
  readonly cases: readonly Case[];
  /** Run on the program afterwards; {} is its path. */
  readonly after?: readonly string[];
  /** Ways to crash that this build cannot show: with the reason. */
  readonly except?: Readonly<Record<string, string>>;
}

const gcc = (...flags: string[]): string[] => ["gcc", "-w", "-pthread", ...flags];
const c = (name: string, command: readonly string[], more: Partial<Build> = {}): Build => ({
  name: `c-${name}`,
  source: "corpus.c",
  command,
  cases: C_CASES,
  ...more,
});

const NO_TABLES = ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"];

export const BUILDS: readonly Build[] = [
  c("O0", gcc("-O0")),
  c("O1", gcc("-O1")),
  c("O2", gcc("-O2")),
  c("O3", gcc("-O3")),
  c("Os", gcc("-Os")),
  c("lto", gcc("-O2", "-flto")),
  c("nopie", gcc("-O2", "-no-pie")),
  c("static", gcc("-O2", "-static")),
  c("static-pie", gcc("-O2", "-static-pie")),
  c("stripped", gcc("-O2"), { after: ["strip", "{}"] }),
  c("no-build-id", gcc("-O2", "-Wl,--build-id=none")),
  c("fp", gcc("-O2", "-fno-omit-frame-pointer", ...NO_TABLES)),
  c("no-tables", gcc("-O2", ...NO_TABLES)),
  c("no-header", gcc("-O2", "-Wl,--no-eh-frame-hdr")),
  c("debug-frame", gcc("-O2", "-g", ...NO_TABLES)),
  c("debug-frame-zlib", gcc("-O2", "-g", "-gz", ...NO_TABLES)),
  c("debug", gcc("-O2", "-g")),
  c("musl", ["musl-gcc", "-w", "-O2"]),
  c("musl-static", ["musl-gcc", "-w", "-O2", "-static"]),
  c("m32", gcc("-m32", "-O2"), {
    except: { jit_bare: "main keeps a frame pointer, which generated code without one hands on" },
  }),
  c("m32-nopie", gcc("-m32", "-O0", "-no-pie")),
  c("m32-fp", gcc("-m32", "-O2", "-fno-omit-frame-pointer", ...NO_TABLES)),
];
