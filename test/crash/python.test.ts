/** Python's structures: line tables as Python itself reads them, frames among native ones, and memory that nobody meant to be read. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { Memory } from "../../src/crash/process/memory.ts";
import { type CPythonLayout, layoutOf, MAX_OFFSETS_BYTES, versionOf } from "../../src/crash/python/layout.ts";
import { lineAt } from "../../src/crash/python/lines.ts";
import { merged } from "../../src/crash/python/merge.ts";
import { bytesAt, textAt } from "../../src/crash/python/objects.ts";
import { PythonRuntime } from "../../src/crash/python/runtime.ts";
import type { Context, Frame } from "../../src/crash/unwind/context.ts";
import type { CrashFrame } from "../../src/domain/crash.ts";
import { needs } from "../support/set-up.ts";

/** All functions of some modules: first line, line table, and the line of each code unit as co_positions() has it. */
const ORACLE = `
import sys, json, types, argparse, asyncio.base_events, typing, ctypes
assert sys.version_info >= (3, 11)
def codes(code):
    yield code
    for each in code.co_consts:
        if isinstance(each, types.CodeType): yield from codes(each)
out = []
for module in (argparse, asyncio.base_events, typing, ctypes):
    for code in codes(compile(open(module.__file__).read(), "x", "exec")):
        out.append([code.co_firstlineno, code.co_linetable.hex(), [line for line, *_ in code.co_positions()]])
print(json.dumps(out))
`;

import { runs } from "../support/runs.ts";

test("lineAt() is the line that Python says, for each instruction of its library", {
  skip: needs("command:python3"),
}, () => {
  const said = spawnSync("python3", ["-c", ORACLE], { encoding: "utf8", maxBuffer: 64 << 20 });
  assert.equal(said.status, 0, said.stderr);
  const functions: [number, string, (number | null)[]][] = JSON.parse(said.stdout);
  assert.ok(functions.length > 500);
  for (const [first, hex, lines] of functions) {
    const table = Buffer.from(hex, "hex");
    const last = lines.length - 1;
    for (let unit = 0; unit <= last; unit += 1 + (lines.length >> 5))
      assert.equal(lineAt(table, first, unit), lines[unit] || null); // 0: of the module as a whole
    assert.equal(lineAt(table, first, last + 1), null);
  }
});

test("lineAt() of any bytes ends", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer(), fc.nat(500), (table, first, unit) => {
      const line = lineAt(table, first, unit);
      assert.ok(line === null || line > 0);
    }),
    { numRuns: runs(3000) },
  );
});

const memoryOf = (bytes: Uint8Array): Memory =>
  new Memory(8, (address, length) => {
    const at = address < BigInt(bytes.length) ? Number(address) : bytes.length;
    return bytes.subarray(at, at + length);
  });

const LAYOUT = layoutOf(12, new Uint8Array()) as CPythonLayout;

/** A str as Python 3.12 keeps it. */
function str(kind: 1 | 2 | 4, isAscii: boolean, length: number, characters: Uint8Array): Uint8Array {
  const head = Buffer.alloc(isAscii ? 40 : 56);
  head.writeBigUInt64LE(BigInt(length), 16);
  head.writeUInt32LE((kind << 2) | (1 << 5) | (isAscii ? 1 << 6 : 0), 32);
  return Buffer.concat([head, characters]);
}

test("textAt() reads each width of characters", () => {
  for (const [text, bytes] of [
    ["total", str(1, true, 5, Buffer.from("total"))],
    ["größe", str(1, false, 5, Buffer.from("größe", "latin1"))],
    ["名前", str(2, false, 2, Buffer.from("名前", "utf16le"))],
    ["𐌰a", str(4, false, 2, Buffer.from("30030100" + "61000000", "hex"))],
  ] as const)
    assert.equal(textAt(memoryOf(bytes), LAYOUT, 0n), text);
});

test("textAt() and bytesAt() of what is too long or not there are bounded", () => {
  const long = str(1, true, 1 << 30, Buffer.alloc(4096, "x"));
  assert.equal(textAt(memoryOf(long), LAYOUT, 0n)?.length, 1024);
  assert.equal(textAt(memoryOf(long.subarray(0, 100)), LAYOUT, 0n), undefined);
  assert.equal(bytesAt(memoryOf(long), LAYOUT, 0n), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      assert.ok((textAt(memoryOf(bytes), LAYOUT, 0n)?.length ?? 0) <= 1024);
      bytesAt(memoryOf(bytes), LAYOUT, 0n);
    }),
  );
});

test("layoutOf() knows 3.11 to 3.14 and believes no offset beyond a structure", () => {
  const zeros = new Uint8Array(MAX_OFFSETS_BYTES);
  assert.deepEqual(
    [10, 11, 12, 13, 14, 15].map((minor) => layoutOf(minor, zeros) !== undefined),
    [false, true, true, true, true, false],
  );
  assert.throws(() => layoutOf(13, offsets(0x030d0000, 2 ** 40)), /beyond its structure/);
  const freeThreaded = zeros.map((_, i) => (i === 16 ? 1 : 0));
  assert.equal(layoutOf(13, freeThreaded), undefined);
  assert.throws(() => layoutOf(14, zeros.subarray(0, 64)), RangeError);
  assert.equal(versionOf(0x030d02f0)?.text, "3.13.2");
  assert.equal(versionOf(0x02071200), undefined);
});

/** A process whose _PyRuntime is at 4096, and all of whose memory are these bytes again and again. */
function runtimeIn(start: Uint8Array, bytes: Uint8Array): PythonRuntime | undefined {
  const memory = new Memory(8, (address, length) => {
    const from = address >= 4096n ? Number(address % 65536n) : 65536;
    const near = address === 4096n ? start : new Uint8Array();
    return near.length >= length
      ? near.subarray(0, length)
      : Uint8Array.from({ length }, (_, i) => bytes[(from + i) % bytes.length] ?? 0);
  });
  const sections = new Map([[".PyRuntime", { vaddr: 4096 }]]);
  const module = { bias: 0n, path: "/usr/bin/python3", image: { sections } };
  const modules = { at: () => module, all: [module] };
  return PythonRuntime.of({ arch: { bits: 64 }, memory, modules, process: { auxv: new Map() } } as unknown as Context);
}

/** The first bytes of _PyRuntime: of a version, with all offsets the same. */
function offsets(version: number, offset: number): Uint8Array {
  const start = Buffer.alloc(MAX_OFFSETS_BYTES);
  for (let at = 24; at < start.length; at += 8) start.writeBigUInt64LE(BigInt(offset), at);
  start.write("xdebugpy", "latin1");
  start.writeUInt32LE(version, 8);
  return start;
}

test("runsOf() ends in memory that is one ring, and in any other", () => {
  const ring = Buffer.from("0020000000000000", "hex"); // each word is 8192
  for (const version of [0x030d0000, 0x030e0000]) {
    const runtime = runtimeIn(offsets(version, 0), ring);
    assert.ok(runtime);
    const from = performance.now();
    for (let i = 0; i < 64; i++) assert.ok(runtime.runsOf(8192, 32).flatMap(({ frames }) => frames).length <= 32);
    assert.ok(performance.now() - from < 5000);
  }
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 64 }), fc.nat(64), fc.integer(), (bytes, offset, tid) => {
      const runs = runtimeIn(offsets(0x030d0000, offset), bytes)?.runsOf(tid, 32) ?? [];
      assert.ok(runs.flatMap(({ frames }) => frames).length <= 32);
    }),
    { numRuns: 8 },
  );
});

const native = (name: string): CrashFrame => ({
  function: name,
  module: 0,
  pc: "0x1",
  offset: 1,
  functionOffset: null,
  file: null,
  line: null,
  inlined: false,
  kind: "native",
  trust: "cfi",
});
const SP = 7;
const at = (sp: bigint): Frame => {
  const registers = new Array(17).fill(undefined);
  registers[SP] = sp;
  return { pc: 1n, registers, trust: "fp", exact: false };
};
const run = (stackAddress: bigint | undefined, ...names: string[]) => ({
  stackAddress,
  frames: names.map((name) => ({ function: name, file: "x.py", line: 1, pc: 2n })),
});

test("merged() puts each run of frames above the call that runs it", () => {
  const frames = [at(100n), at(200n), at(300n), at(400n)];
  const names = [["crash"], ["inlined", "evaluator"], ["call"], ["evaluator"]].map((each) => each.map(native));
  for (const [runs, expected] of [
    [[], "crash inlined evaluator call evaluator"],
    [[run(250n, "a", "b")], "crash a b inlined evaluator call evaluator"],
    [[run(200n, "a"), run(399n, "b")], "crash a inlined evaluator b call evaluator"],
    [[run(250n, "a"), run(450n, "b"), run(undefined, "c")], "crash a inlined evaluator call evaluator b c"],
    [[run(99n, "a")], "crash inlined evaluator call evaluator a"],
  ] as const)
    assert.equal(
      merged(frames, names, runs, SP)
        .map(({ function: name }) => name)
        .join(" "),
      expected,
    );
  assert.deepEqual(merged(frames, names, [run(250n, "a")], SP)[1], {
    ...native("a"),
    ...{ module: null, pc: "0x2", offset: null, file: "x.py", line: 1, kind: "python", trust: "fp" },
  });
});
