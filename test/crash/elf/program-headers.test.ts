import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readerOf } from "../../../src/crash/elf/bytes.ts";
import { type ElfHeader, parseElfHeader } from "../../../src/crash/elf/header.ts";
import { layoutOf } from "../../../src/crash/elf/layout.ts";
import {
  expectedBytes,
  MAX_HELD_BYTES,
  type ProgramHeader,
  tableBytes,
} from "../../../src/crash/elf/program-headers.ts";
import { ABIS, buildCore, type Part } from "./build.ts";
import { fixture, NAMES } from "./fixtures.ts";

const headerOf = (core: Uint8Array): ElfHeader => parseElfHeader(core) ?? assert.fail("no ELF core");
const headersOf = (core: Uint8Array): readonly ProgramHeader[] => {
  const layout = layoutOf(readerOf(core));
  return layout.ok ? [...layout.headers] : assert.fail(layout.why);
};

for (const name of NAMES) {
  test(`expectedBytes() of ${name}.core is the length that its writer gave it`, () => {
    const core = fixture(name);
    assert.deepEqual(expectedBytes(headerOf(core), headersOf(core)), { ok: true, bytes: BigInt(core.length) });
  });
}

test("layoutOf() reads what readelf -l prints", () => {
  const [notes, text, , , , , , , stack, vsyscall] = headersOf(fixture("segv"));
  const none = { vaddr: 0n, memBytes: 0n };
  assert.deepEqual(notes, { type: 4, flags: 0, offsetBytes: 0x270n, fileBytes: 0x10bcn, ...none });
  const page = { fileBytes: 0x1000n, memBytes: 0x1000n };
  assert.deepEqual(text, { type: 1, flags: 4, offsetBytes: 0x2000n, vaddr: 0x400000n, ...page });
  const size = { fileBytes: 0x21000n, memBytes: 0x21000n };
  assert.deepEqual(stack, { type: 1, flags: 6, offsetBytes: 0xb000n, vaddr: 0x7ffdeff1f000n, ...size });
  assert.deepEqual(vsyscall, { type: 1, flags: 1, offsetBytes: 0x2c000n, vaddr: 0xffffffffff600000n, ...page });
});

test("layoutOf() reads an i386 core, as readelf -l prints it", () => {
  const vvar = { type: 1, flags: 4, offsetBytes: 0x2000n, vaddr: 0xf7ef7000n, fileBytes: 0x4000n, memBytes: 0x4000n };
  assert.deepEqual(headersOf(fixture("i386"))[4], vvar);
});

const parts = fc.array(
  fc.record({
    flags: fc.integer({ min: 0, max: 7 }),
    vaddr: fc.bigInt({ min: 0n, max: 0xfffffn }).map((page) => page * 4096n),
    bytes: fc.integer({ min: 0, max: 3 }).map((pages) => Buffer.alloc(pages * 4096)),
    memBytes: fc.constant(0x4000n),
  }) satisfies fc.Arbitrary<Part>,
  { minLength: 1, maxLength: 20 },
);

test("layoutOf() and expectedBytes() say of a core what it was built from", () => {
  fc.assert(
    fc.property(fc.constantFrom(...ABIS), parts, (abi, built) => {
      const core = buildCore({ abi, parts: built });
      const [, ...loads] = headersOf(core);
      const back = loads.map(({ flags, vaddr, fileBytes, memBytes }) => ({ flags, vaddr, fileBytes, memBytes }));
      assert.deepEqual(
        back,
        built.map(({ bytes, ...rest }) => ({ ...rest, fileBytes: BigInt(bytes.length) })),
      );
      assert.deepEqual(expectedBytes(headerOf(core), headersOf(core)), { ok: true, bytes: BigInt(core.length) });
    }),
  );
});

// The kernel's own core of 65610 headers (fixtures/elf/make --maps) has this shape; readelf says "65535 (65610)".
const many = buildCore({
  parts: Array(65609).fill({ vaddr: 0x7f0000000000n, bytes: Buffer.alloc(0), memBytes: 4096n }),
});

test("tableBytes() finds the true number of program headers behind PN_XNUM", () => {
  const header = headerOf(many);
  assert.equal(header.extendedCount, true);
  assert.deepEqual(tableBytes(many.subarray(0, 120), header), { ok: true, bytes: 64 + 65610 * 56 });
  assert.equal(headersOf(many).length, 65610);
});

test("expectedBytes() counts the section header that PN_XNUM brings", () => {
  assert.deepEqual(expectedBytes(headerOf(many), headersOf(many)), { ok: true, bytes: BigInt(many.length) });
});

const small = headerOf(buildCore({}));
const table = [
  { on: "no program headers", header: { ...small, phnum: 0 }, why: /no program headers/ },
  { on: "program headers of another size", header: { ...small, phentsize: 32 }, why: /32 bytes each/ },
  { on: "a table inside the ELF header", header: { ...small, phoff: 63n }, why: /begin at 63/ },
  { on: "a table at 2^63", header: { ...small, phoff: 2n ** 63n }, why: /begin at 9223372036854775808/ },
  {
    on: "a table that begins behind all that is held",
    header: { ...small, phoff: BigInt(MAX_HELD_BYTES) },
    why: /too many/,
  },
  { on: "PN_XNUM over a small table", header: { ...small, phnum: 65535, extendedCount: true }, why: /is unknown/ },
];
for (const { on, header, why } of table) {
  test(`tableBytes() refuses ${on}`, () => {
    const got = tableBytes(buildCore({}), header);
    assert.match(got.ok ? "" : got.why, why);
  });
}

const xnum = (notesAt: bigint) => {
  const core = Buffer.from(many.subarray(0, 120));
  core.writeBigUInt64LE(notesAt, 64 + 8); // p_offset of the first program header
  return tableBytes(core, headerOf(core));
};
const claims = [
  { on: "2^21 + 1 program headers", notesAt: 64n + 56n * (2n ** 21n + 1n) },
  { on: "2^63 bytes of them", notesAt: 2n ** 63n },
  { on: "more than may be held", notesAt: 64n + 56n * 150_000n },
  { on: "half a program header", notesAt: 64n + 56n * 70_000n + 28n },
  { on: "notes before the table", notesAt: 0n },
];
for (const { on, notesAt } of claims) {
  test(`tableBytes() refuses PN_XNUM with ${on}`, () => assert.equal(xnum(notesAt).ok, false));
}

test("tableBytes() refuses PN_XNUM where the first program header is missing or not that of the notes", () => {
  assert.equal(tableBytes(many.subarray(0, 119), headerOf(many)).ok, false);
  const load = Buffer.from(many.subarray(0, 120));
  load.writeUInt32LE(1, 64);
  assert.equal(tableBytes(load, headerOf(load)).ok, false);
});

test("layoutOf() refuses a table that is cut short", () => {
  const core = fixture("segv");
  assert.equal(layoutOf(readerOf(core.subarray(0, 64 + 10 * 56 - 1))).ok, false);
});

const load = (offsetBytes: bigint, fileBytes: bigint): ProgramHeader => ({
  ...{ type: 1, flags: 4, vaddr: 0n, memBytes: fileBytes },
  ...{ offsetBytes, fileBytes },
});
const ends = [
  { on: "the last end, whatever the order", headers: [load(8192n, 4096n), load(4096n, 4096n)], bytes: 12288n },
  { on: "the last end of overlapping segments", headers: [load(4096n, 8192n), load(4096n, 4096n)], bytes: 12288n },
  { on: "at least the table", headers: [load(0n, 0n)], bytes: 120n },
  { on: "2^63 - 1, the last byte of any file", headers: [load(2n ** 62n, 2n ** 62n - 1n)], bytes: 2n ** 63n - 1n },
  { on: "nothing that reaches 2^63", headers: [load(2n ** 62n, 2n ** 62n)], bytes: undefined },
  { on: "nothing that overflows 64 bits", headers: [load(2n ** 64n - 1n, 2n ** 64n - 1n)], bytes: undefined },
  { on: "nothing without headers", headers: [], bytes: undefined },
];
for (const { on, headers, bytes } of ends) {
  test(`expectedBytes() is ${on}`, () => {
    const got = expectedBytes(small, headers);
    assert.equal(got.ok ? got.bytes : undefined, bytes);
  });
}
