/** Everything in src/crash over bytes that nobody meant to be read: nothing throws, and what comes out is bounded. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { crashOf } from "../../src/crash/crash.ts";
import { evaluate } from "../../src/crash/dwarf/expression.ts";
import { FrameEntries } from "../../src/crash/dwarf/frame-entries.ts";
import { rowAt } from "../../src/crash/dwarf/frame-rows.ts";
import { readerOf } from "../../src/crash/elf/bytes.ts";
import { Memory } from "../../src/crash/process/memory.ts";
import { MAX_FRAMES, MAX_MODULES, MAX_NAME_BYTES, MAX_THREADS } from "../../src/domain/crash.ts";
import { runs } from "../support/runs.ts";
import { ABIS, buildCore } from "./elf/build.ts";
import { fixture, NAMES } from "./elf/fixtures.ts";

const SELF = readFileSync("/proc/self/exe").subarray(0, 64 * 1024);

function crashIn(core: Uint8Array, file?: Uint8Array): void {
  const crash = crashOf({ core: readerOf(core), files: () => (file ? readerOf(file) : "notOpened") });
  assert.ok(
    crash.stack.length <= MAX_FRAMES && crash.threads.length <= MAX_THREADS && crash.modules.length <= MAX_MODULES,
  );
  for (const { function: name } of crash.stack) assert.ok(name === null || Buffer.byteLength(name) <= MAX_NAME_BYTES);
  assert.ok(JSON.stringify(crash).length < 8 << 20);
}

test("no bytes at all make crashOf() throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => crashIn(bytes)));
});

test("no bytes after a valid header make crashOf() throw", () => {
  fc.assert(
    fc.property(fc.constantFrom(...ABIS), fc.uint8Array({ minLength: 60, maxLength: 2000 }), (abi, bytes) =>
      crashIn(Buffer.concat([buildCore({ abi }).subarray(0, 20), bytes])),
    ),
  );
});

const edits = fc.array(fc.tuple(fc.integer({ min: 4, max: 0x2000 }), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0x41)), {
  minLength: 1,
  maxLength: 12,
});
const edited = (bytes: Uint8Array, changes: [number, number][]): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  for (const [at, value] of changes) copy[at % copy.length] = value;
  return copy;
};

for (const name of NAMES) {
  test(`no change of ${name}.core or of its files makes crashOf() throw`, () => {
    const core = fixture(name);
    fc.assert(
      fc.property(edits, edits, (a, b) => crashIn(edited(core, a), edited(SELF, b))),
      { numRuns: runs(60) },
    );
  });
}

const ABI = { littleEndian: true, bits: 64 } as const;
const nowhere = new Memory(8, () => new Uint8Array(0));

/** A RangeError is how these three say that the bytes are not theirs: the unwinder catches it. */
const onlyRangeErrors = (act: () => unknown): void => {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof RangeError, String(error));
  }
};

test("call frame information of any bytes ends", () => {
  const bytes = fc.uint8Array({ minLength: 8, maxLength: 300 });
  fc.assert(
    fc.property(bytes, fc.boolean(), (table, isDebugFrame) =>
      onlyRangeErrors(() => {
        const at = (from: number, length: number): Uint8Array => table.subarray(from, from + length);
        const entry = new FrameEntries({ abi: ABI, isDebugFrame, at }).fdeAt(0);
        if (entry) rowAt(entry, entry.start, ABI);
      }),
    ),
    { numRuns: runs(2000) },
  );
});

test("expressions of any bytes end", () => {
  const registers = Array.from({ length: 17 }, (_, i) => BigInt(i));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (expression) =>
      onlyRangeErrors(() => evaluate(expression, { registers, memory: nowhere, bits: 64, bias: 0n }, [1n])),
    ),
    { numRuns: runs(5000) },
  );
});

test("an expression that jumps back for ever is given up", () => {
  const loop = Uint8Array.from([0x2f, 0xfd, 0xff]); // skip -3
  assert.throws(() => evaluate(loop, { registers: [], memory: nowhere, bits: 64, bias: 0n }, []), /without an end/);
});
