import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { drain } from "../../../src/node/kernel/drain.ts";
import { page, pipeOf, streamOf, testFile } from "./streams.ts";

const MIB = 1 << 20;
/** Bytes of which no two chunks or pages are alike, some pages of them zeros. */
const bytes = Buffer.from(
  Array.from({ length: 9 * MIB + 777 }, (_, i) => (i % 20_000 < 8192 ? 0 : (i * 31 + (i >> 12)) & 0xff)),
);

for (const pieceBytes of [1000, 4096, 65_536, 1 << 22]) {
  test(`drain() copies what comes through a pipe in pieces of ${pieceBytes}`, async () => {
    using stream = pipeOf(bytes, pieceBytes);
    using made = testFile();
    await drain(stream.pipe, made.file);
    assert.equal(made.file.setLength(stream.pipe.positionBytes), BigInt(bytes.length));
    assert.ok(made.bytes.equals(bytes) && stream.pipe.ended);
  });
}

test("drain() takes up to `endBytes` from the stream, writes from `fromBytes` on, and goes on later", async () => {
  const most = bytes.length + 10;
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(fc.nat(most), fc.nat(most)).map((two) => two.sort((a, b) => a - b)),
      fc.nat(most),
      async ([first = 0, second = 0], from) => {
        using stream = streamOf(bytes);
        using made = testFile();
        await drain(stream.pipe, made.file, 0n, BigInt(first));
        assert.equal(Number(stream.pipe.positionBytes), Math.min(first, bytes.length));
        await drain(stream.pipe, made.file, BigInt(from), BigInt(second));
        const end = Math.min(second, bytes.length);
        assert.equal(Number(stream.pipe.positionBytes), end);
        made.file.setLength(BigInt(end));
        const want = Buffer.from(bytes.subarray(0, end));
        if (first < from) want.fill(0, Math.min(first, end), Math.min(from, end)); // read and dropped
        assert.ok(made.bytes.equals(want));
      },
    ),
    { numRuns: 15 },
  );
});

test("drain() of an ended stream does nothing", async () => {
  using stream = streamOf(Buffer.alloc(0));
  using made = testFile();
  await drain(stream.pipe, made.file);
  assert.deepEqual([stream.pipe.positionBytes, made.bytes.length], [0n, 0]);
});

test("drain() stops at the first byte that cannot be kept, and leaves the rest of the stream", async () => {
  using stream = streamOf(Buffer.concat(Array.from({ length: 24 * 256 }, () => page(7))));
  using made = testFile((held) => (held > BigInt(8 * MIB) ? "disk-full" : undefined));
  await assert.rejects(drain(stream.pipe, made.file), { truncation: "disk-full", atBytes: BigInt(8 * MIB) });
  assert.equal(made.bytes.length, 8 * MIB);
  assert.ok(stream.pipe.positionBytes <= BigInt(16 * MIB), "one chunk was on its way, no more");
});

test("drain() reports a failure in the very last chunk", async () => {
  using stream = streamOf(page(7));
  using made = testFile(() => "size-cap");
  await assert.rejects(drain(stream.pipe, made.file), { truncation: "size-cap", atBytes: 0n });
});
