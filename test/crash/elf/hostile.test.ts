/** Everything in src/crash/elf at once over bytes that nobody meant to be read: it never throws, and asks for little. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ReadAt, readerOf } from "../../../src/crash/elf/bytes.ts";
import { readNotes } from "../../../src/crash/elf/crash.ts";
import { parseElfHeader } from "../../../src/crash/elf/header.ts";
import { layoutOf } from "../../../src/crash/elf/layout.ts";
import { MAX_HELD_BYTES, tableBytes } from "../../../src/crash/elf/program-headers.ts";
import { directlyCopyable } from "../../../src/crash/elf/segments.ts";
import { ABIS, buildCore } from "./build.ts";
import { fixture, NAMES } from "./fixtures.ts";

const MAX_READ_BYTES = 64 * 1024;

function readAll(core: Uint8Array): void {
  const read: ReadAt = (offset, length) => {
    assert.ok(length <= MAX_READ_BYTES && offset >= 0n && offset <= 2n ** 53n, `${length} bytes at ${offset}`);
    return readerOf(core)(offset, length);
  };
  const layout = layoutOf(read);
  if (layout.ok) {
    assert.ok(layout.expectedBytes > 0n && layout.expectedBytes < 2n ** 63n);
    readNotes(read, layout.headers, layout.header);
  }
  const header = parseElfHeader(core);
  assert.ok(header !== undefined || !layout.ok);
  if (header === undefined) return;
  const table = tableBytes(core, header);
  assert.ok(!table.ok || table.bytes <= MAX_HELD_BYTES);
  if (layout.ok) directlyCopyable(header, layout.headers);
}

test("no bytes at all make the parsers throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), readAll));
});

test("no bytes behind a valid header make the parsers throw", () => {
  const any = fc.uint8Array({ minLength: 60, maxLength: 2000 });
  fc.assert(
    fc.property(fc.constantFrom(...ABIS), any, (abi, bytes) => {
      readAll(Buffer.concat([buildCore({ abi }).subarray(0, 20), bytes]));
    }),
    { numRuns: 1000 },
  );
});

const edits = fc.array(
  // Most edits go where the structures are: headers and the first notes.
  fc.tuple(
    fc.integer({ min: 4, max: 0x600 }),
    fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.integer({ min: 0, max: 255 })),
  ),
  { minLength: 1, maxLength: 12 },
);

for (const name of NAMES) {
  const core = fixture(name);
  test(`no change of ${name}.core makes the parsers throw`, () => {
    fc.assert(
      fc.property(edits, fc.integer({ min: 0, max: core.length }), (changes, length) => {
        const changed = Buffer.from(core.subarray(0, Math.max(length, 0x600)));
        for (const [at, byte] of changes) changed[at] = byte;
        readAll(changed);
      }),
      { numRuns: 500 },
    );
  });
}

test("layoutOf() says why, in words that fit behind a colon", () => {
  const core = fixture("segv");
  const why = (bytes: Uint8Array) => {
    const layout = layoutOf(readerOf(bytes));
    return layout.ok ? undefined : layout.why;
  };
  assert.equal(why(Buffer.alloc(0)), "it is not an ELF core");
  assert.equal(why(core.subarray(0, 623)), "it ends within its program headers");
  assert.equal(why(core.subarray(0, 624)), undefined); // 64 + 10 × 56
});
