import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { DumpCore, DumpRecord } from "../../../src/domain/dump.ts";
import { readRecord } from "../../../src/node/cache/record.ts";
import { type Sealing, seal } from "../../../src/node/cache/seal.ts";
import { coreOf, filesOf, testSpool } from "./caches.ts";

const CORE = coreOf();
const SIZE = CORE.length;
const HALF = SIZE - 6000;

interface Case {
  readonly on: string;
  /** Content of core.part; none when undefined. */
  readonly part: Uint8Array | undefined;
  readonly sealing?: Partial<Sealing>;
  readonly record?: Partial<DumpRecord>;
  readonly want: Partial<Pick<DumpRecord, "state" | "reason" | "message">> & { core?: Partial<DumpCore> };
}

const cases: readonly Case[] = [
  {
    on: "a whole core",
    part: CORE,
    want: {
      state: "Captured",
      reason: null,
      message: null,
      core: { complete: true, truncation: null, sizeBytes: SIZE },
    },
  },
  {
    on: "bytes behind the core's end",
    part: Buffer.concat([CORE, Buffer.alloc(10)]),
    sealing: { sizeBytes: BigInt(SIZE + 10) },
    want: { state: "Captured", core: { complete: true, sizeBytes: SIZE + 10, expectedBytes: SIZE } },
  },
  {
    on: "a stream that ended early",
    part: CORE.subarray(0, HALF),
    sealing: { sizeBytes: BigInt(HALF) },
    want: {
      state: "Captured",
      reason: "Truncated",
      message: "source cut short at 6.1 KiB of 12 KiB",
      core: { complete: false, truncation: "source-cut-short", sizeBytes: HALF, expectedBytes: SIZE },
    },
  },
  {
    on: "bytes that are not certain, which are cut off",
    part: CORE,
    sealing: { sizeBytes: BigInt(HALF), truncation: "disk-full" },
    want: {
      reason: "Truncated",
      message: "cut because the disk is full at 6.1 KiB of 12 KiB",
      core: { complete: false, truncation: "disk-full", logicalBytes: HALF },
    },
  },
  {
    on: "a file that is shorter than the bytes that came: a power cut",
    part: CORE.subarray(0, HALF),
    want: { reason: "Truncated", core: { complete: false, truncation: "handler-killed", sizeBytes: HALF } },
  },
  {
    on: "a core that was cut at its very end: it is whole, and yet not proven to be",
    part: CORE,
    sealing: { truncation: "handler-killed" },
    want: { reason: "Truncated", core: { complete: false, truncation: "handler-killed", sizeBytes: SIZE } },
  },
  {
    on: "headers alone",
    part: CORE.subarray(0, 176),
    sealing: { sizeBytes: 176n },
    want: { state: "Captured", reason: "Truncated", core: { complete: false, expectedBytes: SIZE } },
  },
  {
    on: "what is no core",
    part: Buffer.from("hello"),
    sealing: { sizeBytes: 5n },
    want: {
      state: "Captured",
      reason: "Truncated",
      message: "what came is not an ELF core",
      core: { complete: false, truncation: "not-elf", expectedBytes: null, sizeBytes: 5 },
    },
  },
  {
    on: "memory of a process that was not dumpable",
    part: CORE,
    record: { dumpable: 2 },
    want: { state: "Restricted", reason: "NotDumpable", core: { complete: true } },
  },
  {
    on: "a stream that something known has stopped",
    part: CORE.subarray(0, HALF),
    sealing: { sizeBytes: BigInt(HALF), stopped: "SIGKILL came" },
    want: { state: "Captured", reason: "Truncated", message: "source cut short at 6.1 KiB of 12 KiB: SIGKILL came" },
  },
  {
    on: "half of such memory",
    part: CORE.subarray(0, HALF),
    sealing: { sizeBytes: BigInt(HALF) },
    record: { dumpable: 0 },
    want: {
      state: "Restricted",
      message:
        "the process was not dumpable (%d 0): only an admin may read its memory. It had changed its ids, runs a file with capabilities, set-uid or that its user may not read, or asked for it; its owner can call prctl(PR_SET_DUMPABLE, 1) once ids are dropped (php-fpm: process.dumpable = yes, HAProxy: set-dumpable); source cut short at 6.1 KiB of 12 KiB",
    },
  },
  {
    on: "memory of a process of which nobody knows whether it was dumpable",
    part: CORE,
    record: { dumpable: null },
    want: {
      state: "Restricted",
      reason: "NotDumpable",
      message: "whether the process was dumpable is not known: only an admin may read its memory",
    },
  },
  {
    on: "nothing",
    part: Buffer.alloc(0),
    sealing: { sizeBytes: 0n },
    want: {
      state: "Lost",
      reason: "NothingReceived",
      message: "no byte came: the process was killed while it dumped, or its sandbox dumps nothing",
      core: { path: null, complete: false, truncation: "source-cut-short", sizeBytes: 0 },
    },
  },
  {
    on: "nothing that could be kept",
    part: Buffer.alloc(0),
    sealing: { sizeBytes: 0n, truncation: "disk-full" },
    want: {
      state: "Lost",
      message: "cut because the disk is full: not one byte was kept",
      core: { truncation: "disk-full" },
    },
  },
  {
    on: "a file that is not there any more",
    part: undefined,
    want: {
      state: "Lost",
      message: "the handler was killed: not one byte was kept",
      core: { truncation: "handler-killed", sizeBytes: 0 },
    },
  },
];
for (const { on, part, sealing, record, want } of cases) {
  test(`seal() of ${on}`, async () => {
    using made = testSpool();
    const entry = made.entry(1, record);
    if (part) writeFileSync(entry.part, part);
    writeFileSync(entry.reserved, "1");
    const before = readRecord(entry) ?? assert.fail();
    const sealed = await seal(entry, before, {
      truncation: undefined,
      sizeBytes: BigInt(SIZE),
      threadNames: new Map([[42, "worker"]]),
      ...sealing,
    });
    const { core, ...rest } = want;
    assert.deepEqual({ ...sealed, ...rest }, sealed);
    assert.deepEqual({ ...sealed.core, ...core }, sealed.core);
    assert.deepEqual(readRecord(entry), sealed, "it is what stands on the disk");
    const held = sealed.state !== "Lost";
    assert.deepEqual(filesOf(entry), held ? ["core", "record.json"] : ["record.json"]);
    if (!held) return;
    const bytes = readFileSync(entry.core);
    assert.equal(sealed.core.sha256, createHash("sha256").update(bytes).digest("hex"));
    assert.deepEqual([sealed.core.path, sealed.core.logicalBytes], [entry.core, bytes.length]);
  });
}

test("seal() takes signal and threads out of the core, with the names they had", async () => {
  using made = testSpool();
  const entry = made.entry(1);
  writeFileSync(entry.part, CORE);
  const how = { truncation: undefined, sizeBytes: BigInt(SIZE), threadNames: new Map([[42, "worker"]]) };
  const { signal, threads, threadCount } = await seal(entry, readRecord(entry) ?? assert.fail(), how);
  assert.deepEqual(signal, {
    number: 11,
    name: "SIGSEGV",
    code: 1,
    codeText: "address not mapped",
    faultAddress: "0xdead",
  });
  assert.deepEqual([threads, threadCount], [[{ tid: 42, name: "worker", crashed: true }], 1]);
});

test("seal() comes to the same end when the power failed behind the rename, and when it is done twice", async () => {
  using made = testSpool();
  const entry = made.entry(1);
  const before = readRecord(entry) ?? assert.fail();
  const how = { truncation: undefined, sizeBytes: BigInt(SIZE), threadNames: new Map() };
  writeFileSync(entry.part, CORE);
  const first = await seal(entry, before, how);
  const second = await seal(entry, before, how);
  assert.deepEqual({ ...second, updated: "" }, { ...first, updated: "" });
});

test("seal() follows no link in the core's place", async () => {
  using made = testSpool();
  const entry = made.entry(1);
  const elsewhere = made.entry(2).path("victim");
  writeFileSync(elsewhere, CORE);
  symlinkSync(elsewhere, entry.part);
  const how = { truncation: undefined, sizeBytes: 1n, threadNames: new Map() };
  await assert.rejects(seal(entry, readRecord(entry) ?? assert.fail(), how), { code: "ELOOP" });
  assert.ok(readFileSync(elsewhere).equals(CORE));
});
