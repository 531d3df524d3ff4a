import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ELF_HEADER_BYTES, parseElfHeader } from "../../../src/crash/elf/header.ts";
import { ABIS, buildCore } from "./build.ts";
import { fixture } from "./fixtures.ts";

// Figures as readelf -h prints them.
const cases = [
  { on: "an x86_64 core", core: "segv", bits: 64, machine: 62, phoff: 64n, phnum: 10, shoff: 0n, shnum: 0 },
  { on: "an i386 core", core: "i386", bits: 32, machine: 3, phoff: 52n, phnum: 8, shoff: 0n, shnum: 0 },
  {
    on: "gdb's core with section headers",
    core: "gcore",
    bits: 64,
    machine: 62,
    phoff: 64n,
    phnum: 6,
    shoff: 182336n,
    shnum: 8,
  },
] as const;
for (const { on, core, ...want } of cases) {
  test(`parseElfHeader() reads ${on}`, () => {
    const got = parseElfHeader(fixture(core).subarray(0, ELF_HEADER_BYTES));
    assert.partialDeepStrictEqual(got, { ...want, littleEndian: true, extendedCount: false });
  });
}

for (const abi of ABIS) {
  test(`parseElfHeader() reads ${abi.bits} bits, ${abi.littleEndian ? "little" : "big"}-endian`, () => {
    const got = parseElfHeader(buildCore({ abi, machine: 183 }));
    assert.partialDeepStrictEqual(got, { ...abi, machine: 183, phnum: 1, phoff: abi.bits === 64 ? 64n : 52n });
  });
}

const core = fixture("segv").subarray(0, ELF_HEADER_BYTES);
const changed = (at: number, byte: number) => Object.assign(Buffer.from(core), { [at]: byte });
const strangers = [
  { on: "nothing", bytes: Buffer.alloc(0) },
  { on: "a magic number alone", bytes: core.subarray(0, 4) },
  { on: "one byte less than a header", bytes: core.subarray(0, 63) },
  { on: "another magic number", bytes: changed(0, 0x7e) },
  { on: "class 3", bytes: changed(4, 3) },
  { on: "byte order 0", bytes: changed(5, 0) },
  { on: "an executable", bytes: changed(16, 2) },
  { on: "a core of the other byte order", bytes: changed(5, 2) }, // e_type would be 0x0400
];
for (const { on, bytes } of strangers) {
  test(`parseElfHeader() refuses ${on}`, () => assert.equal(parseElfHeader(bytes), undefined));
}

test("parseElfHeader() throws on no bytes at all", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (bytes, magic) => {
      if (magic) bytes.set([0x7f, 0x45, 0x4c, 0x46].slice(0, bytes.length));
      parseElfHeader(bytes);
    }),
  );
});
