import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readerOf } from "../../../src/crash/elf/bytes.ts";
import { type ElfHeader, parseElfHeader } from "../../../src/crash/elf/header.ts";
import { layoutOf } from "../../../src/crash/elf/layout.ts";
import type { ProgramHeader } from "../../../src/crash/elf/program-headers.ts";
import { directlyCopyable } from "../../../src/crash/elf/segments.ts";
import { ABIS, buildCore, type CoreSpec, LSB64, type Part } from "./build.ts";
import { fixture } from "./fixtures.ts";

const planOf = (core: Uint8Array, header = parseElfHeader(core) ?? assert.fail("no ELF core")) => {
  const layout = layoutOf(readerOf(core));
  return directlyCopyable(header, layout.ok ? layout.headers : assert.fail(layout.why));
};

test("directlyCopyable() plans a core of the kernel's: prefix, memory, [vsyscall] apart", () => {
  const plan = planOf(fixture("segv"));
  assert.ok(plan.ok);
  const places = (part: Iterable<ProgramHeader>) =>
    Array.from(part, ({ type: _type, flags: _flags, ...place }) => place);
  assert.deepEqual(
    { ...plan, segments: places(plan.segments), high: places(plan.high) },
    {
      ok: true,
      prefixBytes: 0x2000n, // readelf -l: the first LOAD with bytes in the file
      segments: [
        { offsetBytes: 0x2000n, vaddr: 0x400000n, fileBytes: 0x1000n, memBytes: 0x1000n },
        { offsetBytes: 0x3000n, vaddr: 0x7fa8103d8000n, fileBytes: 0x4000n, memBytes: 0x4000n },
        { offsetBytes: 0x7000n, vaddr: 0x7fa8103dc000n, fileBytes: 0x2000n, memBytes: 0x2000n },
        { offsetBytes: 0x9000n, vaddr: 0x7fa8103de000n, fileBytes: 0x2000n, memBytes: 0x2000n },
        { offsetBytes: 0xb000n, vaddr: 0x7ffdeff1f000n, fileBytes: 0x21000n, memBytes: 0x21000n },
      ],
      high: [{ offsetBytes: 0x2c000n, vaddr: 0xffffffffff600000n, fileBytes: 0x1000n, memBytes: 0x1000n }],
    },
  );
});

const page = (vaddr: bigint, pages = 1): Part => ({ vaddr, bytes: Buffer.alloc(pages * 4096) });
const shapes: readonly { on: string; spec: CoreSpec; ok: boolean }[] = [
  { on: "accepts memory in any order of addresses", spec: { parts: [page(0x9000n), page(0x1000n, 2)] }, ok: true },
  { on: "accepts a segment up to 2^63", spec: { parts: [page(2n ** 63n - 4096n)] }, ok: true },
  { on: "accepts the last page of all", spec: { parts: [page(2n ** 64n - 4096n)] }, ok: true },
  { on: "accepts arm64", spec: { machine: 183, parts: [page(0x1000n)] }, ok: true },
  { on: "refuses a core without memory", spec: { parts: [{ ...page(0x1000n), bytes: Buffer.alloc(0) }] }, ok: false },
  { on: "refuses arm64 memory tags", spec: { parts: [page(0x1000n), { ...page(0n), type: 0x70000002 }] }, ok: false },
  { on: "refuses a second note segment", spec: { parts: [{ ...page(0n), type: 4 }, page(0x1000n)] }, ok: false },
  { on: "refuses half a page", spec: { parts: [{ vaddr: 0n, bytes: Buffer.alloc(2048) }] }, ok: false },
  { on: "refuses memory that begins within a page", spec: { parts: [page(0x1001n)] }, ok: false },
  { on: "refuses more in the file than in memory", spec: { parts: [{ ...page(0n), memBytes: 0n }] }, ok: false },
  { on: "refuses a segment that wraps around", spec: { parts: [page(2n ** 64n - 4096n, 2)] }, ok: false },
  { on: "refuses what gdb writes, notes last", spec: { parts: [] }, ok: false },
];
for (const { on, spec, ok } of shapes) {
  test(`directlyCopyable() ${on}`, () => {
    const plan = planOf(on.includes("gdb") ? fixture("gcore") : buildCore(spec));
    assert.equal(plan.ok, ok);
  });
}

test("directlyCopyable() takes what ends at 2^63 for reachable, and what ends behind it for high", () => {
  const plan = planOf(buildCore({ parts: [page(2n ** 63n - 8192n, 2), page(2n ** 63n)] }));
  const vaddrs = (part: Iterable<ProgramHeader>) => Array.from(part, ({ vaddr }) => vaddr);
  assert.deepEqual(plan.ok && [vaddrs(plan.segments), vaddrs(plan.high)], [[2n ** 63n - 8192n], [2n ** 63n]]);
});

for (const abi of ABIS.slice(1)) {
  test(`directlyCopyable() refuses ${abi.bits} bits, ${abi.littleEndian ? "little" : "big"}-endian`, () => {
    assert.equal(planOf(buildCore({ abi, parts: [page(0x1000n)] })).ok, false);
  });
}

const header: ElfHeader = parseElfHeader(buildCore({ abi: LSB64 })) ?? assert.fail();
const notes: ProgramHeader = { type: 4, flags: 0, offsetBytes: 512n, vaddr: 0n, fileBytes: 100n, memBytes: 0n };
const load = (offsetBytes: bigint, fileBytes = 4096n): ProgramHeader => ({
  ...{ type: 1, flags: 6, vaddr: 0x1000n, memBytes: fileBytes },
  ...{ offsetBytes, fileBytes },
});
const tables = [
  { on: "a gap between segments", headers: [notes, load(4096n), load(12288n)] },
  { on: "overlapping segments", headers: [notes, load(4096n, 8192n), load(8192n)] },
  { on: "segments that descend in the file", headers: [notes, load(8192n), load(4096n)] },
  { on: "memory off a page's beginning", headers: [notes, load(1024n)] },
  { on: "memory over the notes", headers: [{ ...notes, fileBytes: 4000n }, load(4096n)] },
  { on: "notes over the table", headers: [{ ...notes, offsetBytes: 175n }, load(4096n)] },
  { on: "notes that are not first", headers: [load(4096n), notes] },
  { on: "a segment to 2^63", headers: [notes, load(4096n, 2n ** 63n - 4096n)] },
  { on: "notes of 2^64 - 1 bytes", headers: [{ ...notes, fileBytes: 2n ** 64n - 1n }, load(4096n)] },
  { on: "no headers", headers: [] },
];
for (const { on, headers } of tables) {
  test(`directlyCopyable() refuses ${on}`, () => assert.equal(directlyCopyable(header, headers).ok, false));
}

test("directlyCopyable() refuses PN_XNUM", () => {
  assert.equal(directlyCopyable({ ...header, extendedCount: true }, [notes, load(4096n)]).ok, false);
});

const anyHeader: fc.Arbitrary<ProgramHeader> = fc.record({
  type: fc.constantFrom(1, 4, 0x70000002),
  flags: fc.constant(6),
  offsetBytes: fc.oneof(
    fc.bigInt({ min: 0n, max: 8n }).map((n) => n * 4096n),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  ),
  vaddr: fc.oneof(
    fc.bigInt({ min: 0n, max: 8n }).map((n) => n * 4096n),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  ),
  fileBytes: fc.oneof(fc.constantFrom(0n, 4096n, 8192n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  memBytes: fc.constantFrom(8192n, 2n ** 64n - 1n),
});

test("directlyCopyable() accounts for every byte of what it accepts", () => {
  fc.assert(
    fc.property(fc.array(anyHeader, { maxLength: 6 }), (rest) => {
      const plan = directlyCopyable(header, [{ ...notes, offsetBytes: 4096n }, ...rest]);
      if (!plan.ok) return;
      const all = [...plan.segments, ...plan.high].sort((a, b) => Number(a.offsetBytes - b.offsetBytes));
      let end = plan.prefixBytes;
      for (const { offsetBytes, fileBytes } of all) {
        assert.equal(offsetBytes, end);
        end += fileBytes;
      }
      for (const { vaddr, fileBytes } of plan.segments) assert.ok(vaddr + fileBytes <= 2n ** 63n);
    }),
    { numRuns: 2000 },
  );
});
