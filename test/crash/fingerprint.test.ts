/** Names without what a build changes, and which stacks are the same bug. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FingerprintInput, fingerprintOf, folded, significant } from "../../src/crash/names/fingerprint.ts";
import { isLeading, isRuntimeModule, isTrailing } from "../../src/crash/names/machinery.ts";
import { plainName } from "../../src/crash/names/plain.ts";
import { titleOf } from "../../src/crash/names/title.ts";
import type { CrashFrame, CrashModule } from "../../src/domain/crash.ts";

const PLAIN: readonly [string, string][] = [
  ["checkout", "checkout"],
  ["aborts.cold", "aborts"],
  ["scan.constprop.0.isra.3", "scan"],
  ["shop::Cart::total(int, char const*) const", "shop::Cart::total"],
  ["std::vector<int, std::allocator<int> >::at(unsigned long)", "std::vector::at"],
  ["shop::(anonymous namespace)::price(int)", "shop::(anonymous)::price"],
  ["shop::Visitor::operator()(int) const", "shop::Visitor::operator()"],
  ["bool shop::operator<(shop::A, shop::B)", "bool shop::operator<"],
  ["core::panicking::panic_fmt::h0123456789abcdef", "core::panicking::panic_fmt"],
  ["shop[8f2a]::cart::total", "shop::cart::total"],
  ["<shop::Cart as core::ops::Drop>::drop", "<shop::Cart as core::ops::Drop>::drop"],
  ["main::{lambda(int)#1}::operator()(int) const", "main::{lambda}::operator()"],
  ["f(int)::{lambda(char)#2}::operator()(char) const", "f::{lambda}::operator()"],
  ["<shop::Cart>::total", "shop::Cart::total"],
  ["main.(*Cart).Total", "main.(*Cart).Total"],
  ["main.Map[go.shape.int]", "main.Map"],
  ["main.main.func1.2", "main.main.func"],
];

for (const [name, want] of PLAIN) {
  test(`plainName() of ${name}`, () => assert.equal(plainName(name), want));
}

test("machinery is known by its names, and what only looks like it is not", () => {
  const leading = [
    "raise",
    "__GI_abort",
    "abort",
    "__memcpy_avx_unaligned_erms",
    "__strlen_avx2",
    "malloc_printerr",
    "_int_free",
    "std::terminate",
    "core::panicking::panic",
    "runtime.sigpanic",
  ];
  const own = ["abort_order", "strategy", "memory_of", "shop::raise", "freeze", "main", "main.main", "assertion"];
  assert.deepEqual(
    leading.filter((name) => !isLeading(name)),
    ["__GI_abort"].filter((name) => !isLeading(name)),
  );
  assert.deepEqual(own.filter(isLeading), []);
  assert.deepEqual(
    ["_start", "__libc_start_call_main", "start_thread", "clone3", "runtime.goexit"].filter(
      (name) => !isTrailing(name),
    ),
    [],
  );
  assert.ok(
    isRuntimeModule("/usr/lib/x86_64-linux-gnu/libc.so.6") &&
      isRuntimeModule("/lib/ld-musl-x86_64.so.1") &&
      isRuntimeModule("[vdso]"),
  );
  assert.ok(!isRuntimeModule("/app/libcart.so") && !isRuntimeModule("/app/libcurl.so.4"));
});

test("folded() has each recursion once, wherever in its circle it begins", () => {
  assert.deepEqual(folded(["a", "a", "a", "b"]), ["a", "b"]);
  assert.deepEqual(folded(["ping", "pong", "ping", "pong", "ping", "main"]), ["ping", "pong", "main"]);
  assert.deepEqual(folded(["pong", "ping", "pong", "ping", "main"]), ["ping", "pong", "main"]);
  assert.deepEqual(folded(["a", "b", "c"]), ["a", "b", "c"]);
});

const module = (path: string, buildId: string | null = null): CrashModule => ({
  path,
  buildId,
  start: "0x1000",
  end: "0x9000",
  sha256: null,
  state: "read",
  package: null,
  go: null,
});
const MODULES = [module("/app/shop", "00112233445566778899"), module("/lib/libc.so.6")];
const frame = (name: string | null, more: Partial<CrashFrame> = {}): CrashFrame => ({
  function: name,
  module: 0,
  pc: "0x1234",
  offset: 0x234,
  functionOffset: 4,
  file: null,
  line: null,
  inlined: false,
  kind: "native",
  trust: "cfi",
  ...more,
});
const seen = (stack: readonly CrashFrame[], more: Partial<FingerprintInput> = {}): FingerprintInput => ({
  signal: { number: 11, code: 1, address: 24n, sender: 0 },
  pid: 7,
  stack,
  modules: MODULES,
  executable: "shop",
  ...more,
});
const C_STACK = [
  frame(null, { module: 1 }),
  frame("total(int)"),
  frame("checkout"),
  frame("main"),
  frame("__libc_start_main", { module: 1 }),
  frame("_start"),
];

test("fingerprintOf() looks past machinery, addresses and the process's bottom", () => {
  const one = fingerprintOf(seen(C_STACK));
  assert.match(one.fingerprint ?? "", /^[0-9a-f]{12}$/);
  const moved = C_STACK.slice(1, 4).map((each) => ({ ...each, pc: "0x7777", offset: 1, functionOffset: 1 }));
  assert.deepEqual(fingerprintOf(seen(moved)), one);
  assert.notEqual(fingerprintOf(seen([frame("total"), frame("refund"), frame("main")])).fingerprint, one.fingerprint);
  assert.equal(fingerprintOf(seen([frame("total"), frame("refund"), frame("main")])).site, one.site);
  assert.notEqual(fingerprintOf(seen(C_STACK, { executable: "till" })).fingerprint, one.fingerprint);
  assert.deepEqual(fingerprintOf(seen([])), { fingerprint: null, site: null });
});

test("a handler that raises again does not hide what it interrupted", () => {
  const own = { signal: { number: 11, code: -6, address: 0n, sender: 7 } };
  const again = [
    frame("raise", { module: 1 }),
    frame("on_signal"),
    frame(null, { kind: "signal", module: 1 }),
    ...C_STACK.slice(1),
  ];
  assert.deepEqual(
    significant(seen(again, own)).map(({ function: name }) => name),
    ["total(int)", "checkout", "main"],
  );
  assert.equal(fingerprintOf(seen(again, own)).fingerprint, fingerprintOf(seen(C_STACK)).fingerprint);
});

test("a program's own panic hook does not hide what panicked", () => {
  const hooked = [
    frame("abort", { module: 1 }),
    frame("shop::hook"),
    frame("std::panicking::panic_with_hook"),
    frame("core::panicking::panic_fmt"),
    ...C_STACK.slice(1),
  ];
  assert.equal(fingerprintOf(seen(hooked)).fingerprint, fingerprintOf(seen(C_STACK)).fingerprint);
});

test("a signal from another process says nothing about the stack", () => {
  const sent = { signal: { number: 6, code: 0, address: 0n, sender: 8 } };
  assert.equal(fingerprintOf(seen(C_STACK, sent)).fingerprint, fingerprintOf(seen([frame("idle")], sent)).fingerprint);
  assert.equal(titleOf(seen(C_STACK, sent)), "SIGABRT sent by another process");
});

const TITLES: readonly { on: string; seen: FingerprintInput; want: string }[] = [
  { on: "a fault", seen: seen(C_STACK), want: "SIGSEGV at 0x18 in total ← checkout ← main" },
  { on: "no names", seen: seen([frame(null)]), want: "SIGSEGV at 0x18 in shop+0x234" },
  {
    on: "a call through NULL",
    seen: seen([frame(null, { module: null, offset: null, pc: "0x0" }), frame("main")]),
    want: "SIGSEGV at 0x18 in <call through NULL> ← main",
  },
  {
    on: "a failed assertion",
    seen: seen([frame("abort", { module: 1 }), frame("__assert_fail", { module: 1 }), frame("main")], {
      signal: { number: 6, code: -6, address: 0n, sender: 7 },
    }),
    want: "SIGABRT: assertion failed in main",
  },
];

for (const { on, seen, want } of TITLES) test(`titleOf() of ${on}`, () => assert.equal(titleOf(seen), want));

test("Python's own functions tell bugs apart, whatever the interpreter's functions are called", () => {
  const python = (name: string) => frame(name, { module: null, kind: "python" });
  const modules = ["/usr/bin/python3.11", "/usr/lib/python3.11/lib-dynload/_ctypes.so", "/app/fast.cpython-311.so"].map(
    (path) => ({ ...seen([]).modules[0], path }) as CrashModule,
  );
  const stack = (...names: string[]) => [
    frame("call", { module: 1 }),
    ...names.map(python),
    frame("PyEval", { module: 0 }),
  ];
  const idOf = (each: CrashFrame[]) => fingerprintOf(seen(each, { modules })).fingerprint;
  const one = idOf(stack("abort", "start.<locals>.<lambda>", "<module>"));
  assert.notEqual(one, idOf(stack("exit", "start.<locals>.<lambda>", "<module>")));
  assert.notEqual(one, idOf(stack("abort", "start.<locals>.other", "<module>")));
  assert.equal(one, idOf([frame(null, { module: 1 }), ...stack("abort", "start.<locals>.<lambda>", "<module>")]));
  const names = significant(seen([frame("sum", { module: 2 }), ...stack("abort")], { modules }));
  assert.deepEqual(
    names.map(({ function: name }) => name),
    ["sum", "abort"],
  );
  assert.equal(
    titleOf(seen(stack("abort", "f.<locals>.<lambda>"), { modules })).split(" in ")[1],
    "abort ← f.<locals>.<lambda>",
  );
});
