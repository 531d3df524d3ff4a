/** Python's own frames, out of structures that CPython 3.13 describes: here they are laid out by hand, as its headers say. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Memory } from "../../src/crash/process/memory.ts";
import { pythonFrames } from "../../src/crash/python/frames.ts";
import { lineAt } from "../../src/crash/python/line-table.ts";

const BASE = 0x10000n;
const RUNTIME = BASE;
const [INTERPRETER, OTHER, THREAD, CODE, NAME, FILE, LINES] = [
  0x1000n,
  0x1800n,
  0x2000n,
  0x3000n,
  0x4000n,
  0x4400n,
  0x4800n,
].map((at) => BASE + at) as [bigint, bigint, bigint, bigint, bigint, bigint, bigint];
const FRAMES = [0x5000n, 0x5100n, 0x5200n, 0x5300n].map((at) => BASE + at);

/** Two Python frames, the interpreter's own, and one that C code was called from. */
function process(): Buffer {
  const memory = Buffer.alloc(0x6000);
  const put = (at: bigint, value: bigint): void => void memory.writeBigUInt64LE(value, Number(at - BASE));
  memory.write("xdebugpy", 0, "latin1");
  put(RUNTIME + 8n, 0x030d00f0n);
  const described = [
    ...[0], // free_threaded
    ...[0, 0, 0x300], // runtime_state: size, finalizing, interpreters_head
    ...[0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0], // interpreter_state: size, id, next, threads_head, …
    ...[0, 0, 8, 16, 24, 32, 40, 48, 0], // thread_state: size, prev, next, interp, current_frame, thread_id, native_thread_id, …
    ...[0, 8, 0, 16, 24, 32], // interpreter_frame: size, previous, executable, instr_ptr, localsplus, owner
    ...[0, 8, 0, 16, 24, 32, 0, 0, 0, 64], // code_object: size, filename, name, qualname, linetable, firstlineno, …, co_code_adaptive
  ];
  for (const [i, value] of described.entries()) put(RUNTIME + 16n + BigInt(8 * i), BigInt(value));
  put(RUNTIME + 0x300n, INTERPRETER);
  put(INTERPRETER + 0x40n, OTHER);
  put(OTHER + 8n, THREAD);
  put(OTHER + 40n, 1n);
  put(THREAD + 24n, FRAMES[0] ?? 0n);
  put(THREAD + 40n, 77n);
  for (const [i, frame] of FRAMES.entries()) {
    put(frame, CODE);
    put(frame + 8n, FRAMES[i + 1] ?? 0n);
    put(frame + 16n, CODE + 64n + BigInt(4 * (i % 2)));
    memory[Number(frame - BASE) + 32] = i === 2 ? 3 : 0;
  }
  for (const [at, text] of [
    [NAME, "Cart.total"],
    [FILE, "/app/shop.py"],
  ] as const) {
    put(at + 16n, BigInt(text.length));
    memory.writeUInt32LE((1 << 2) | (1 << 5) | (1 << 6), Number(at - BASE) + 32);
    memory.write(text, Number(at - BASE) + 40);
  }
  put(CODE + 8n, FILE);
  put(CODE + 16n, NAME);
  put(CODE + 24n, LINES);
  put(CODE + 32n, 10n);
  put(LINES + 16n, 6n);
  Buffer.from([0x80 | (11 << 3) | 1, 0, 0, 0x80 | (12 << 3) | 1, 0, 0]).copy(memory, Number(LINES - BASE) + 32);
  return memory;
}

const memoryOf = (bytes: Uint8Array): Memory =>
  new Memory(8, (address, length) =>
    address < BASE ? new Uint8Array() : bytes.subarray(Number(address - BASE), Number(address - BASE) + length),
  );

test("pythonFrames() groups a thread's frames by the call of the evaluator that ran them", () => {
  const one = { function: "Cart.total", file: "/app/shop.py" };
  assert.deepEqual(pythonFrames(memoryOf(process()), RUNTIME, 77), [
    [
      { ...one, line: 11 },
      { ...one, line: 13 },
    ],
    [{ ...one, line: 13 }],
  ]);
});

test("pythonFrames() knows nothing of other threads, other versions, free threading, other bytes", () => {
  assert.deepEqual(pythonFrames(memoryOf(process()), RUNTIME, 78), [[]]);
  for (const [at, value] of [
    [0, 0x79],
    [10, 12],
    [16, 1],
  ] as const) {
    const bytes = process();
    bytes[at] = value;
    assert.deepEqual(pythonFrames(memoryOf(bytes), RUNTIME, 77), []);
  }
});

test("pythonFrames() of changed structures ends", () => {
  const edits = fc.array(fc.tuple(fc.nat(0x5fff), fc.nat(255)), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(edits, (changes) => {
      const bytes = process();
      for (const [at, value] of changes) bytes[at] = value;
      assert.ok(pythonFrames(memoryOf(bytes), RUNTIME, 77).flat().length <= 512);
    }),
  );
});

/** Tables that CPython 3.13 made, in the forms that Objects/locations.md lists. */
const LINES_CASES: readonly { on: string; table: number[]; unit: number; want: number | null }[] = [
  { on: "the short form", table: [0x80 | 1, 0], unit: 1, want: 5 },
  { on: "one line on", table: [0x80 | (11 << 3), 0, 0], unit: 0, want: 6 },
  { on: "no columns, three lines back", table: [0x80 | (13 << 3), 7], unit: 0, want: 2 },
  { on: "the long form", table: [0x80 | (14 << 3), 4, 0, 1, 1], unit: 0, want: 7 },
  { on: "no location", table: [0x80 | (15 << 3)], unit: 0, want: null },
  { on: "beyond its end", table: [0x80 | 1, 0], unit: 9, want: null },
];

for (const { on, table, unit, want } of LINES_CASES)
  test(`lineAt() of ${on}`, () => assert.equal(lineAt(Uint8Array.from(table), 5, unit), want));

test("lineAt() of any bytes ends", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(500), (table, unit) => void lineAt(table, 1, unit)));
});
