import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { CannotKeep, PAGE_BYTES, SparseFile } from "../../../src/node/kernel/sparse-file.ts";
import { tempDir } from "../../support/tmp.ts";
import { page, testFile } from "./streams.ts";

/** From so many zero pages between data on there is a hole. */
const HOLE_PAGES = 16;

test("SparseFile writes data and leaves holes for zero pages, also where the stream lies across pages", async () => {
  using plain = testFile();
  const apart = Buffer.concat([page(1), Buffer.alloc(HOLE_PAGES * PAGE_BYTES), page(2)]);
  await plain.file.write(apart, apart.length, 0n);
  assert.equal(plain.file.heldBytes, 2n * BigInt(PAGE_BYTES));
  using near = testFile();
  const close = apart.subarray(0, -2 * PAGE_BYTES).fill(3, (HOLE_PAGES - 1) * PAGE_BYTES);
  await near.file.write(close, close.length, 0n);
  assert.equal(near.file.heldBytes, BigInt(close.length), "few zero pages do not break a write in two");
  using across = testFile();
  const bytes = Buffer.concat([Buffer.alloc(100, 1), Buffer.alloc(PAGE_BYTES - 100), page(0), page(2)]);
  await across.file.write(bytes.subarray(0, 100), 100, 0n);
  await across.file.write(bytes.subarray(100), bytes.length - 100, 100n);
  assert.deepEqual(across.bytes, bytes);
  assert.equal(across.file.heldBytes, 100n + BigInt(PAGE_BYTES));
});

/** Pages of zeros, of data, and with one odd byte, the whole cut somewhere. */
const contents = fc
  .tuple(
    fc.array(fc.tuple(fc.constantFrom("zeros", "data", "odd"), fc.integer({ min: 0, max: PAGE_BYTES - 1 })), {
      maxLength: 12,
    }),
    fc.integer({ min: 0, max: PAGE_BYTES }),
  )
  .map(([pages, cut]) => {
    const all = pages.map(([kind, at]) => {
      const bytes = page(kind === "data" ? 0xaa : 0);
      if (kind === "odd") bytes[at] = 1;
      return bytes;
    });
    const whole = Buffer.concat(all);
    return whole.subarray(0, Math.max(0, whole.length - cut));
  });
const cuts = fc.array(fc.integer({ min: 1, max: 3 * PAGE_BYTES }), { maxLength: 10 });

/** Length of a piece less the zero pages at its ends; pages as they lie in the file. */
function withoutZeroEnds(bytes: Buffer, from: number, to: number): number {
  const firstPage = Math.floor(from / PAGE_BYTES);
  const pages = Array.from({ length: Math.ceil(to / PAGE_BYTES) - firstPage }, (_, i) => {
    const start = (firstPage + i) * PAGE_BYTES;
    return [Math.max(start, from), Math.min(start + PAGE_BYTES, to)] as const;
  }).filter(([start, end]) => bytes.subarray(start, end).some((byte) => byte !== 0));
  const [first, last] = [pages[0], pages.at(-1)];
  return first && last ? last[1] - first[0] : 0;
}

test("SparseFile makes the same file as plain writes would, in any order and cut", async () => {
  await fc.assert(
    fc.asyncProperty(contents, cuts, fc.boolean(), async (bytes, lengths, backwards) => {
      using made = testFile();
      const edges = [0, ...lengths.map((_, i) => lengths.slice(0, i + 1).reduce((a, b) => a + b, 0)), bytes.length];
      const pieces = edges
        .map((edge) => Math.min(edge, bytes.length))
        .map((edge, i, all) => [all[i - 1] ?? 0, edge] as const);
      for (const [from, to] of backwards ? pieces.toReversed() : pieces)
        await made.file.write(Buffer.from(bytes.subarray(from, to)), to - from, BigInt(from));
      assert.equal(made.file.setLength(BigInt(bytes.length)), BigInt(bytes.length));
      assert.ok(made.bytes.equals(bytes));
      const most = pieces.reduce((sum, [from, to]) => sum + withoutZeroEnds(bytes, from, to), 0);
      assert.equal(made.file.heldBytes, BigInt(most), "no block for zeros at either end");
    }),
    { numRuns: 60 },
  );
});

test("SparseFile asks before it writes, and what is refused is not written", async () => {
  using made = testFile((held) => (held > BigInt(PAGE_BYTES) ? "cache-full" : undefined));
  await made.file.write(page(1), PAGE_BYTES, 0n);
  await assert.rejects(made.file.write(page(2), PAGE_BYTES, BigInt(PAGE_BYTES)), CannotKeep);
  assert.deepEqual([made.file.failure?.truncation, made.file.failure?.atBytes], ["cache-full", BigInt(PAGE_BYTES)]);
  assert.deepEqual(made.bytes, page(1));
});

test("SparseFile's failure is final, and of two the lower one counts", async () => {
  let full = true;
  using made = testFile(() => (full ? "size-cap" : undefined));
  await assert.rejects(made.file.write(page(1), PAGE_BYTES, 8n * BigInt(PAGE_BYTES)));
  full = false;
  for (const [position, counts] of [
    [4n, 4n],
    [6n, 4n],
  ] as const) {
    await assert.rejects(made.file.write(page(1), PAGE_BYTES, position * BigInt(PAGE_BYTES)));
    assert.equal(made.file.failure?.atBytes, counts * BigInt(PAGE_BYTES));
  }
  assert.equal(made.file.failure?.truncation, "size-cap");
  await made.file.write(page(0), PAGE_BYTES, 0n); // nothing to write: a hole needs no leave
});

test("SparseFile calls a full disk a full disk, and any other error a failed write", async () => {
  using full = testFile(undefined, "/dev/full");
  await assert.rejects(full.file.write(page(1), PAGE_BYTES, 0n), { truncation: "disk-full", atBytes: 0n });
  using dir = tempDir();
  const fd = openSync(join(dir.path, "core"), "wx");
  closeSync(fd);
  const gone = new SparseFile(openSync(join(dir.path, "core"), "r"), () => undefined);
  await assert.rejects(gone.write(page(1), PAGE_BYTES, 0n), { truncation: "write-failed" });
  closeSync(gone.fd);
});

test("setLength() makes a hole at the end, and drops what lies behind it from the file and the count", async () => {
  using made = testFile();
  await made.file.write(Buffer.concat([page(1), page(2)]), 2 * PAGE_BYTES, 0n);
  assert.equal(made.file.setLength(BigInt(PAGE_BYTES)), BigInt(PAGE_BYTES));
  assert.equal(made.file.heldBytes, BigInt(made.heldBytes));
  assert.equal(made.file.setLength(BigInt(3 * PAGE_BYTES)), BigInt(3 * PAGE_BYTES));
  assert.deepEqual(made.bytes, Buffer.concat([page(1), page(0), page(0)]));
});

test("setLength() says where the core ends on a file system that has no files that long", async () => {
  using made = testFile();
  await made.file.write(page(1), PAGE_BYTES, 0n);
  assert.equal(made.file.setLength(2n ** 63n - 4096n), BigInt(PAGE_BYTES));
  assert.deepEqual([made.file.failure?.truncation, made.bytes.length], ["write-failed", PAGE_BYTES]);
});
