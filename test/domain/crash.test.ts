import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Crash, frameName, shortened } from "../../src/domain/crash.ts";
import { anyCrash } from "../support/any-crash.ts";

const MAX_BYTES = 20 << 10;

test("shortened() keeps any crash within its bytes, with modules that its frames lie in, and numbers that JSON takes", () => {
  fc.assert(
    fc.property(anyCrash, (crash) => {
      const short = shortened(crash);
      assert.ok(Buffer.byteLength(JSON.stringify(short)) <= MAX_BYTES);
      assert.deepEqual(JSON.parse(JSON.stringify(short)), short);
      const frames = [...short.stack, ...short.threads.flatMap(({ stack }) => stack)];
      for (const { module, offset, functionOffset, line } of frames) {
        assert.ok(module === null || short.modules[module]);
        for (const count of [offset, functionOffset, line]) assert.ok(count === null || Number.isSafeInteger(count));
      }
      assert.ok(short.deeper || short.stack.length === crash.stack.length);
    }),
  );
});

test("shortened() leaves an ordinary crash as it is, but for the crashed thread, which the stack tells of", () => {
  const frame = {
    function: "total",
    module: 1,
    pc: "0x1",
    offset: 1,
    functionOffset: 1,
    file: null,
    line: null,
  } as const;
  const module = {
    buildId: null,
    start: "0x0",
    end: "0x9",
    sha256: null,
    state: "read",
    package: null,
    go: null,
  } as const;
  const crash: Crash = {
    title: "SIGSEGV at 0x0 in total",
    fingerprint: "0123456789ab",
    site: null,
    version: 1,
    problem: null,
    runtime: null,
    stack: [{ ...frame, inlined: false, kind: "native", trust: "cfi" }],
    deeper: false,
    threads: [
      { tid: 7, name: "cart", crashed: true, stack: [] },
      { tid: 8, name: "idle", crashed: false, stack: [] },
    ],
    modules: [
      { path: "/lib/libc.so.6", ...module },
      { path: "/app/cart", ...module },
    ],
  };
  const short = shortened(crash);
  assert.deepEqual(short.modules, [crash.modules[1]]);
  assert.deepEqual(short.stack, [{ ...crash.stack[0], module: 0 }]);
  assert.deepEqual(short.threads, [crash.threads[1]]);
});

const named = [
  { on: "its function", frame: { function: "total" }, want: "total" },
  { on: "module and offset", frame: { module: 0, offset: 0x4f21a }, want: "cart+0x4f21a" },
  { on: "the address where no file lies", frame: {}, want: "0xdead" },
  { on: "a signal's frame", frame: { kind: "signal", function: "x" }, want: "<signal handler called>" },
] as const;
for (const { on, frame, want } of named) {
  test(`frameName() is ${on}`, () => {
    const blank = { function: null, module: null, pc: "0xdead", offset: null, functionOffset: null } as const;
    const rest = { file: null, line: null, inlined: false, kind: "native", trust: "cfi" } as const;
    const modules = [{ path: "/app/cart" }] as unknown as Crash["modules"];
    assert.equal(frameName({ ...blank, ...rest, ...frame }, { modules }), want);
  });
}
