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

export const CPP_CASES: readonly Case[] = [
  { how: "virtual", expect: ["shop::Book::price", "shop::Cart::total", "shop::virtual_call", "main"] },
  { how: "template", expect: ["shop::Box::open", "shop::Box::unwrap", "shop::template_call", "main"] },
  { how: "uncaught", expect: ["shop::throws", "shop::uncaught", "main"] },
  { how: "noexcept", expect: ["shop::throws", "shop::noexcept_call", "shop::unexpected", "main"] },
  { how: "range", expect: ["shop::Cart::boundless", "shop::out_of_range", "main"] },
  { how: "pure", expect: ["shop::Base::later", "shop::pure_call", "main"] },
  { how: "terminate", expect: ["shop::terminates", "shop::terminate_call", "main"] },
  {
    how: "function",
    expect: ["shop::(anonymous)::hidden", "shop::visible", "shop::operator_call", "function_call", "main"],
  },
  { how: "thread", expect: ["shop::throws", "shop::uncaught"] },
  { how: "map", expect: ["shop::(anonymous)::hidden", "shop::visible", "map_call", "main"] },
];

export const RUST_CASES: readonly Case[] = [
  {
    how: "index",
    expect: [
      "<corpus::shop::Cart as corpus::shop::Priced>::price",
      "corpus::shop::Cart::total",
      "corpus::index",
      "corpus::main",
    ],
  },
  { how: "unwrap", expect: ["corpus::shop::missing", "corpus::unwrap", "corpus::main"] },
  { how: "null", expect: ["corpus::shop::generic", "corpus::null", "corpus::main"] },
  { how: "overflow", expect: ["corpus::overflow"], recursive: true },
  {
    how: "closure",
    expect: ["corpus::shop::missing", "corpus::closure::{closure}", "corpus::closure", "corpus::main"],
  },
  { how: "thread", expect: ["corpus::shop::generic", "corpus::null", "corpus::in_thread"] },
  { how: "abort", expect: ["corpus::abort", "corpus::main"] },
  { how: "arithmetic", expect: ["corpus::arithmetic", "corpus::main"] },
];

const PRICE = ["main.(*cart).price", "main.total"];

export const GO_CASES: readonly Case[] = [
  { how: "nil", expect: [...PRICE, "main.nilPointer", "main.main"] },
  { how: "bounds", expect: [...PRICE, "main.bounds", "main.main"] },
  { how: "panic", expect: ["main.panics", "main.explicit", "main.main"] },
  { how: "inlined", expect: ["main.small", "main.inlined", "main.main"] },
  { how: "sort", expect: ["main.sorts.func", "main.sorts", "main.main"] },
  { how: "overflow", expect: ["main.overflow"], recursive: true },
  { how: "goroutine", expect: [...PRICE, "main.nilPointer", "main.works", "main.goroutine.func"] },
  { how: "generic", expect: ["main.generic", "main.generics", "main.main"] },
];

const BOTTOM = ["main", "<module>"];
const CART = ["Cart.price", "Cart.total.<locals>.<lambda>", "Cart.total", "items", "checkout"];

/** Python's own functions: the C of its modules is named only where it was not stripped. */
export const PYTHON_CASES: readonly Case[] = [
  { how: "string", expect: [...CART, "string", ...BOTTOM] },
  { how: "thread", expect: [...CART] },
  { how: "aborts", expect: ["aborts", ...BOTTOM] },
  { how: "init", expect: ["Bomb.__init__", "build", "init", ...BOTTOM] },
  { how: "callback", expect: ["compare", "callback", ...BOTTOM] },
  { how: "letters", expect: ["größe", "名前", "𐌰𐌱", "letters", ...BOTTOM] },
  { how: "deep", expect: ["ping", "pong"], recursive: true },
  { how: "coroutine", expect: ["inner", "outer", "coroutine", ...BOTTOM] },
  { how: "long_line", expect: ["long_line", ...BOTTOM] },
];

export interface Build {
  readonly name: string;
  readonly source: string;
  /** Without source and output. */
  readonly command: readonly string[];
  readonly cases: readonly Case[];
  /** Runs the program: it is another machine's. */
  readonly emulator?: string;
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

/** One of -static and -static-pie: with both the program never relocates itself. */
const aarch64 = (...flags: string[]): string[] => ["aarch64-linux-gnu-gcc", "-w", "-pthread", ...flags];
const arm = (name: string, command: readonly string[], except: Build["except"] = {}): Build => ({
  name: `aarch64-${name}`,
  source: "corpus.c",
  command,
  cases: C_CASES.filter(({ only }) => only !== "x86"),
  emulator: "qemu-aarch64",
  except: {
    clock: "the emulator looks at the pointer first",
    leader: "the emulator writes no core",
    divide: "division by zero is 0 there",
    ...except,
  },
});
const gxx = (...flags: string[]): string[] => ["g++", "-w", "-pthread", "-std=c++17", ...flags];
const rustc = (...flags: string[]): string[] => [
  "env",
  "RUSTC_BOOTSTRAP=1",
  "rustc",
  "-A",
  "warnings",
  "--crate-name",
  "corpus",
  ...flags,
];
const golang = (...flags: string[]): string[] => ["go", "build", ...flags];
const go = (name: string, command: readonly string[], more: Partial<Build> = {}): Build => ({
  name: `go-${name}`,
  source: "corpus.go",
  command,
  cases: GO_CASES,
  ...more,
});
const cpp = (name: string, command: readonly string[], more: Partial<Build> = {}): Build => ({
  name: `cpp-${name}`,
  source: "corpus.cpp",
  command,
  cases: CPP_CASES,
  ...more,
});
const rust = (name: string, command: readonly string[], more: Partial<Build> = {}): Build => ({
  name: `rust-${name}`,
  source: "corpus.rs",
  command,
  cases: RUST_CASES,
  ...more,
});

/** As rpm's find-debuginfo does it (add_minidebug): the functions that are not exported, packed into the stripped program. */
const MINI_DEBUG_INFO = `set -e
nm -D -fposix --defined-only "$0" | cut -d" " -f1 | sort > exported
nm -fposix --defined-only "$0" | awk '$2 ~ /[Tt]/ { print $1 }' | sort | comm -13 exported - > kept
objcopy --only-keep-debug "$0" debug
objcopy -S --remove-section .comment --keep-symbols=kept debug mini
xz mini
strip -s "$0"
objcopy --add-section .gnu_debugdata=mini.xz "$0"`;

const NO_TABLES = ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"];

/** A script that runs the source; both lie in one folder. */
const PYTHON_SCRIPT = `set -e
cp "$3" "\${2%/*}/corpus.py"
printf '#!/bin/sh\\nexec %s "\${0%%/*}/corpus.py" "$@"\\n' "$0" > "$2"
chmod +x "$2"`;

/** By the interpreter's command: those that a machine has are tried. */
export const PYTHON_BUILDS: readonly Build[] = ["python3.11", "python3.12", "python3.13", "python3.14"].map(
  (python) => ({
    name: python,
    source: "corpus.py",
    command: ["sh", "-c", PYTHON_SCRIPT, python],
    cases: PYTHON_CASES,
  }),
);

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
  c("mini-debug-info", gcc("-O2"), { after: ["sh", "-c", MINI_DEBUG_INFO, "{}"] }),
  c("no-build-id", gcc("-O2", "-Wl,--build-id=none")),
  c("fp", gcc("-O2", "-fno-omit-frame-pointer", ...NO_TABLES)),
  c("no-tables", gcc("-O2", ...NO_TABLES)),
  c("no-header", gcc("-O2", "-Wl,--no-eh-frame-hdr")),
  c("debug-frame", gcc("-O2", "-g", ...NO_TABLES)),
  c("debug-frame-zlib", gcc("-O2", "-g", "-gz", ...NO_TABLES)),
  c("debug", gcc("-O2", "-g")),
  c("dwarf-4", gcc("-O2", "-gdwarf-4")),
  c("musl", ["musl-gcc", "-w", "-O2"]),
  c("musl-static", ["musl-gcc", "-w", "-O2", "-static"]),
  c("m32", gcc("-m32", "-O2"), {
    except: { jit_bare: "main keeps a frame pointer, which generated code without one hands on" },
  }),
  c("m32-nopie", gcc("-m32", "-O0", "-no-pie")),
  c("m32-fp", gcc("-m32", "-O2", "-fno-omit-frame-pointer", ...NO_TABLES)),
  arm("O0", aarch64("-static", "-O0")),
  arm("O2", aarch64("-static", "-O2")),
  arm("O3-pie", aarch64("-static-pie", "-O3")),
  arm("signed", aarch64("-static", "-O2", "-mbranch-protection=standard")),
  arm("no-tables", aarch64("-static", "-O2", ...NO_TABLES), {
    qsort: "the record of the frame pointer lies below a frame's variables, so that where the frame ends is not known",
    overflow: "the same",
    reraise: "the same",
  }),
  cpp("O0", gxx("-O0")),
  cpp("O2", gxx("-O2")),
  cpp("O3-static", gxx("-O3", "-static")),
  cpp("stripped", gxx("-O2"), { after: ["strip", "{}"] }),
  cpp("debug", gxx("-O2", "-g")),
  go("plain", golang()),
  go("stripped", golang("-ldflags=-s -w")),
  go("trimpath", golang("-trimpath")),
  go("pie", golang("-buildmode=pie")),
  go("external", golang("-ldflags=-linkmode=external")),
  rust("debug", rustc("-C", "debuginfo=2")),
  rust("release", rustc("-O")),
  rust("legacy", rustc("-O", "-C", "symbol-mangling-version=legacy", "-Z", "unstable-options")),
  rust("abort", rustc("-O", "-C", "panic=abort")),
];
