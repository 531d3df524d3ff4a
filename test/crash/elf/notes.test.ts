import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readerOf } from "../../../src/crash/elf/bytes.ts";
import { MAX_NOTES, walkNotes } from "../../../src/crash/elf/notes.ts";
import { LSB64, note } from "./build.ts";

interface Seen {
  readonly name: string;
  readonly type: number;
  readonly desc: string;
}
const walk = (bytes: Uint8Array, offsetBytes = 0n, fileBytes = BigInt(bytes.length)) => {
  const seen: Seen[] = [];
  const whole = walkNotes(readerOf(bytes), { offsetBytes, fileBytes }, LSB64, ({ name, type, desc }) => {
    seen.push({ name, type, desc: Buffer.from(desc(1 << 20)).toString("latin1") });
  });
  return { seen, whole };
};

const anyNote = fc.record(
  {
    name: fc.stringMatching(/^[A-Z]{0,14}$/),
    type: fc.integer({ min: 0, max: 0xffffffff }),
    desc: fc.uint8Array({ maxLength: 6000 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
  },
  { noNullPrototype: true },
);

test("walkNotes() shows every note as it was built, wherever the segment begins", () => {
  fc.assert(
    fc.property(fc.array(anyNote, { maxLength: 12 }), fc.integer({ min: 0, max: 99 }), (notes, at) => {
      const built = notes.map(({ name, type, desc }) => note(LSB64, name, type, Buffer.from(desc, "latin1")));
      const bytes = Buffer.concat([Buffer.alloc(at), ...built]);
      assert.deepEqual(walk(bytes, BigInt(at), BigInt(bytes.length - at)), { seen: notes, whole: true });
    }),
  );
});

test("walkNotes() stops where the data stop, at any byte", () => {
  const notes = Buffer.concat([note(LSB64, "CORE", 1, Buffer.alloc(40)), note(LSB64, "LINUX", 2, Buffer.alloc(9))]);
  for (let length = 0; length < notes.length; length++) {
    const { seen, whole } = walk(notes.subarray(0, length), 0n, BigInt(notes.length));
    assert.ok(seen.length <= 2 && (seen.length === 2 || !whole), `cut at ${length}`);
  }
});

const head = (nameBytes: number, descBytes: number) => {
  const bytes = Buffer.alloc(64);
  bytes.writeUInt32LE(nameBytes, 0);
  bytes.writeUInt32LE(descBytes, 4);
  return bytes;
};
const hostile = [
  { on: "a name of 2^32 - 1 bytes", bytes: head(0xffffffff, 0) },
  { on: "a content of 2^32 - 1 bytes", bytes: head(4, 0xffffffff) },
  { on: "both", bytes: head(0xffffffff, 0xffffffff) },
  { on: "one byte too many", bytes: head(4, 49) },
  { on: "less than a head", bytes: Buffer.alloc(11) },
];
for (const { on, bytes } of hostile) {
  test(`walkNotes() is at its end with ${on}`, () => assert.deepEqual(walk(bytes), { seen: [], whole: false }));
}

const nowhere = [
  { on: "2^64 - 1", offsetBytes: 2n ** 64n - 1n, fileBytes: 2n ** 64n - 1n },
  { on: "2^53", offsetBytes: 2n ** 53n, fileBytes: 12n },
  { on: "the end of the data", offsetBytes: 64n, fileBytes: 2n ** 52n },
];
for (const { on, offsetBytes, fileBytes } of nowhere) {
  test(`walkNotes() sees nothing in a segment at ${on}`, () => {
    assert.deepEqual(walk(Buffer.alloc(64), offsetBytes, fileBytes), { seen: [], whole: false });
  });
}

test("walkNotes() gives up on more notes than any process has", () => {
  let count = 0;
  const zeros = Buffer.alloc(1 << 16); // each 12 zeros are a note without name and content
  const read = (_offset: bigint, length: number) => zeros.subarray(0, length);
  const whole = walkNotes(read, { offsetBytes: 0n, fileBytes: 2n ** 40n }, LSB64, () => count++);
  assert.deepEqual([count, whole], [MAX_NOTES, false]);
});

test("walkNotes() asks for little at a time, and for nothing twice that it passed", () => {
  const bytes = Buffer.concat(Array.from({ length: 500 }, () => note(LSB64, "CORE", 1, Buffer.alloc(11008))));
  let [asked, last] = [0, -1n];
  const read = (offset: bigint, length: number) => {
    assert.ok(length <= 4096 && offset > last);
    last = offset;
    asked += length;
    return readerOf(bytes)(offset, length);
  };
  walkNotes(read, { offsetBytes: 0n, fileBytes: BigInt(bytes.length) }, LSB64, ({ desc }) => desc(36));
  assert.ok(asked < bytes.length / 2, `${asked} of ${bytes.length} bytes`);
});
