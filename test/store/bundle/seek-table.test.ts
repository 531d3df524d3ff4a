import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { SeekableReader } from "../../../src/store/bundle/reader.ts";
import { encodeSeekTable, type FrameLengths } from "../../../src/store/bundle/seek-table.ts";

const PLAIN = ["frame one", "", "the third frame, a longer one"].map((text) => Buffer.from(text));
const FRAMES = PLAIN.map((plain) => zstdCompressSync(plain, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }));
const TABLE = FRAMES.map(
  (frame, at): FrameLengths => ({ packedBytes: frame.length, plainBytes: PLAIN[at]?.length ?? 0 }),
);
const FILE = Buffer.concat([...FRAMES, encodeSeekTable(TABLE)]);

const open = (file: Buffer) =>
  SeekableReader.open({ sizeBytes: file.length, read: async (from, length) => file.subarray(from, from + length) });
const all = async (file: Buffer) => {
  const reader = await open(file);
  return Buffer.concat(await Array.fromAsync(reader.read(0, reader.plainBytes)));
};

test("a seek table is a frame that zstd skips", async () => {
  assert.deepEqual(execFileSync("zstd", ["-dc"], { input: FILE }), Buffer.concat(PLAIN));
  assert.deepEqual(await all(FILE), Buffer.concat(PLAIN));
});

test("SeekableReader reads a table with checksums, as other writers make it", async () => {
  const table = Buffer.alloc(8 + 3 * 12 + 9);
  table.writeUInt32LE(0x184d2a5e, 0);
  table.writeUInt32LE(table.length - 8, 4);
  for (const [at, { packedBytes, plainBytes }] of TABLE.entries()) {
    table.writeUInt32LE(packedBytes, 8 + at * 12);
    table.writeUInt32LE(plainBytes, 8 + at * 12 + 4);
  }
  table.writeUInt32LE(3, table.length - 9);
  table.writeUInt8(0x80, table.length - 5);
  table.writeUInt32LE(0x8f92eab1, table.length - 4);
  assert.deepEqual(await all(Buffer.concat([...FRAMES, table])), Buffer.concat(PLAIN));
});

/** The file with bytes changed from its end on. */
const damaged = (fromEnd: number, ...bytes: number[]): Buffer => {
  const file = Buffer.from(FILE);
  file.set(bytes, file.length - fromEnd);
  return file;
};
const entry = 9 + 8; // the last frame's
const bomb = zstdCompressSync(Buffer.alloc(64 << 20));
/** Ten bytes, but its header asks for a window of 2^27 (RFC 8878, 3.1.1.1.2). */
const wide = Buffer.concat([
  Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, (27 - 10) << 3]),
  Buffer.from([(10 << 3) | 1, 0, 0]), // the last block, raw
  Buffer.alloc(10, "x"),
]);
const cases: readonly { on: string; file: Buffer }[] = [
  { on: "no file", file: Buffer.alloc(0) },
  { on: "a plain zstd file", file: zstdCompressSync(Buffer.alloc(100)) },
  { on: "a file cut short", file: FILE.subarray(0, -1) },
  { on: "a file that lost its beginning", file: FILE.subarray(1) },
  { on: "a table of a later version", file: damaged(5, 0x04) },
  { on: "four billion frames", file: damaged(9, 0xff, 0xff, 0xff, 0xff) },
  { on: "one frame more than there are", file: damaged(9, 4) },
  { on: "one frame less", file: damaged(9, 2) },
  { on: "a frame of four billion bytes", file: damaged(entry - 4, 0xff, 0xff, 0xff, 0xff) },
  { on: "frames that end elsewhere", file: damaged(entry, 0) },
  { on: "a frame that holds less", file: damaged(entry - 4, 30) },
  { on: "a frame that holds more", file: damaged(entry - 4, 28) },
  {
    on: "a frame that would fill the memory",
    file: Buffer.concat([bomb, encodeSeekTable([{ packedBytes: bomb.length, plainBytes: 10 }])]),
  },
  {
    on: "a frame that holds more than any of ours",
    file: Buffer.concat([bomb, encodeSeekTable([{ packedBytes: bomb.length, plainBytes: 64 << 20 }])]),
  },
  {
    on: "a frame that wants a window of 128 MiB",
    file: Buffer.concat([wide, encodeSeekTable([{ packedBytes: wide.length, plainBytes: 10 }])]),
  },
];
for (const { on, file } of cases)
  test(`SeekableReader refuses ${on}`, () => assert.rejects(all(file), { code: "STORE_CORRUPT" }));

test("SeekableReader never gives a wrong byte of a damaged bundle", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(FILE.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const file = Buffer.from(FILE);
      file[at] = (file[at] ?? 0) ^ change;
      const bytes = await all(file).catch((error: { code?: string }) => {
        assert.equal(error.code, "STORE_CORRUPT");
      });
      if (bytes) assert.deepEqual(bytes, Buffer.concat(PLAIN)); // in bits that mean nothing
    }),
    { numRuns: 500, examples: [[89, 9]] }, // the table says 0 bytes for a frame of 9
  );
});

test("SeekableReader takes back what it lent when the next is asked for, and leaves what is kept", async () => {
  const plain = Buffer.alloc(300_000, "abc");
  const packed = zstdCompressSync(plain, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  const table = encodeSeekTable([
    { packedBytes: packed.length, plainBytes: plain.length },
    { packedBytes: packed.length, plainBytes: plain.length },
  ]);
  const reader = await open(Buffer.concat([packed, packed, table]));
  for (const how of ["kept", "lent"] as const) {
    const [pieces, copies]: [Buffer[], Buffer[]] = [[], []];
    for await (const piece of reader.read(0, reader.plainBytes, undefined, how)) {
      copies.push(Buffer.from(piece));
      pieces.push(piece);
    }
    assert.ok(Buffer.concat(copies).equals(Buffer.concat([plain, plain])));
    assert.equal(
      pieces.every(({ length }) => length === 0),
      how === "lent",
    );
  }
});

test("SeekableReader leaves little to the garbage collector when it lends", async () => {
  const plain = randomBytes(2 << 20);
  const packed = zstdCompressSync(plain, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  const frames = Array.from({ length: 80 }, () => ({ packedBytes: packed.length, plainBytes: plain.length }));
  const table = encodeSeekTable(frames);
  const tableAt = packed.length * frames.length;
  const read = async (from: number, length: number) => {
    const bytes = Buffer.allocUnsafeSlow(length);
    if (from >= tableAt) table.copy(bytes, 0, from - tableAt);
    else for (let at = 0; at < length; at += packed.length) packed.copy(bytes, at);
    return bytes;
  };
  const reader = await SeekableReader.open({ sizeBytes: tableAt + table.length, read });
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  for await (const _ of reader.read(0, reader.plainBytes, undefined, "lent"))
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  assert.ok(most < 24 << 20, `${most >> 20} MiB`);
});
