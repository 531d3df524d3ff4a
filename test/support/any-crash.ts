/** Whatever a hostile program may make of its own stack. */
import fc from "fast-check";
import type { Crash, CrashFrame, CrashModule, CrashThread } from "../../src/domain/crash.ts";
import { textOf } from "../../src/domain/text.ts";

const text = fc.string({ unit: "binary", maxLength: 600 }).map((raw) => textOf(Buffer.from(raw)));
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: null });
const hex = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((address) => `0x${address.toString(16)}`);
const digest = maybe(fc.stringMatching(/^[0-9a-f]{12}$/));

const frame: fc.Arbitrary<CrashFrame> = fc.record({
  function: maybe(text),
  module: maybe(fc.nat({ max: 80 })),
  pc: hex,
  offset: maybe(fc.double({ noNaN: true, noDefaultInfinity: true })),
  functionOffset: maybe(fc.integer()),
  file: maybe(text),
  line: maybe(fc.integer()),
  inlined: fc.boolean(),
  kind: fc.constantFrom("native", "go", "python", "signal", "jit"),
  trust: fc.constantFrom("context", "signal", "cfi", "go", "fp", "ra", "scan"),
});

const thread: fc.Arbitrary<CrashThread> = fc.record({
  tid: fc.integer(),
  name: maybe(text),
  crashed: fc.boolean(),
  stack: fc.array(frame, { maxLength: 12 }),
});

const module: fc.Arbitrary<CrashModule> = fc.record({
  path: text,
  buildId: maybe(fc.stringMatching(/^[0-9a-f]{40}$/)),
  start: hex,
  end: hex,
  sha256: fc.constant(null),
  state: fc.constantFrom("read", "deleted", "changed", "notOpened", "unsupported"),
  package: fc.constant(null),
  go: fc.constant(null),
});

export const anyCrash: fc.Arbitrary<Crash> = fc.record({
  title: text,
  fingerprint: digest,
  site: digest,
  version: fc.constant(1),
  problem: maybe(text),
  runtime: fc.constant(null),
  stack: fc.array(frame, { maxLength: 60 }),
  deeper: fc.boolean(),
  threads: fc.array(thread, { maxLength: 12 }),
  modules: fc.array(module, { maxLength: 80 }),
});
