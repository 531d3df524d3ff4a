import assert from "node:assert/strict";
import { test } from "node:test";
import { readerOf } from "../../../src/crash/elf/bytes.ts";
import { type CrashFacts, MAX_THREADS, readNotes } from "../../../src/crash/elf/crash.ts";
import { layoutOf } from "../../../src/crash/elf/layout.ts";
import { ABIS, type Abi, buildCore, LSB64, note, prpsinfo, prstatus, siginfo, u16 } from "./build.ts";
import { fixture } from "./fixtures.ts";

const factsOf = (core: Uint8Array): CrashFacts => {
  const layout = layoutOf(readerOf(core));
  return layout.ok ? readNotes(readerOf(core), layout.headers, layout.header) : assert.fail(layout.why);
};
const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString("latin1");

// Figures as eu-readelf -n prints them; uid 1000, gid 1001 everywhere.
const cases = [
  {
    on: "a fault",
    core: "segv",
    want: { signal: 11, code: 1, faultAddress: 0xdead0n, threads: [19989] },
    process: { pid: 19989, comm: "crash", arguments: "/tmp/fixture/crash segv " },
  },
  {
    on: "a signal that was sent: no fault address, and the name that the process chose",
    core: "kill",
    want: { signal: 6, code: 0, faultAddress: null, threads: [19991] },
    process: { pid: 19991, comm: 'a b"\n\x1b[31m', arguments: '/tmp/fixture/a b"\n\x1b[31m kill ' },
  },
  {
    on: "four threads, the last of which divided by zero: it comes first",
    core: "threads",
    want: { signal: 8, code: 1, faultAddress: 0x4010den, threads: [19996, 19995, 19994, 19993] },
    process: { pid: 19993, comm: "crash", arguments: "/tmp/fixture/crash threads " },
  },
  {
    on: "an i386 process under an x86_64 kernel",
    core: "i386",
    want: { signal: 11, code: 1, faultAddress: 0xdead0n, threads: [19998] },
    process: { pid: 19998, comm: "crash32", arguments: "/tmp/fixture/crash32 segv " },
  },
  {
    on: "a core that gdb took of a living process: stopped by it, SIGSTOP from the kernel",
    core: "gcore",
    want: { signal: 19, code: 128, faultAddress: null, threads: [20002] },
    process: { pid: 20002, comm: "crash", arguments: "/tmp/fixture/crash" },
  },
] as const;
for (const { on, core, want, process } of cases) {
  test(`readNotes() reads ${on}`, () => {
    const { threads, process: got, ...facts } = factsOf(fixture(core));
    assert.deepEqual(
      { ...facts, threads: threads.map(({ tid }) => tid) },
      { ...want, threadCount: want.threads.length, complete: true },
    );
    const words = got && { ...got, comm: text(got.comm), arguments: text(got.arguments) };
    assert.deepEqual(words, { ...process, uid: 1000, gid: 1001 });
  });
}

const notesOf = (abi: Abi, threads: readonly number[]): Buffer =>
  Buffer.concat([
    ...threads.slice(0, 1).map((tid) => note(abi, "CORE", 1, prstatus(abi, tid, 11))),
    note(abi, "CORE", 3, prpsinfo(abi, 42, "worker", "worker --x")),
    note(abi, "CORE", 0x53494749, siginfo(abi, 11, 1, 0x1234_5670n)),
    note(abi, "LINUX", 1, Buffer.alloc(4)), // another owner's type 1
    ...threads.slice(1).map((tid) => note(abi, "CORE", 1, prstatus(abi, tid, 5))), // the first one's signal counts
  ]);

for (const abi of ABIS) {
  test(`readNotes() reads ${abi.bits} bits, ${abi.littleEndian ? "little" : "big"}-endian`, () => {
    const facts = factsOf(buildCore({ abi, machine: 183, notes: notesOf(abi, [43, 42]) }));
    const { comm, arguments: args, ...ids } = facts.process ?? assert.fail("no process");
    assert.deepEqual(ids, { pid: 42, uid: 1000, gid: 1001 });
    assert.deepEqual([text(comm), text(args)], ["worker", "worker --x"]);
    const { signal, code, faultAddress, threads } = facts;
    assert.deepEqual([signal, code, faultAddress, threads], [11, 1, 0x12345670n, [{ tid: 43 }, { tid: 42 }]]);
  });
}

test("readNotes() reads 16-bit ids in 32-bit cores", () => {
  const abi = { bits: 32, littleEndian: false } as const;
  const facts = factsOf(buildCore({ abi, notes: note(abi, "CORE", 3, prpsinfo(abi, 7, "a", "b", u16)) }));
  assert.partialDeepStrictEqual(facts.process, { pid: 7, uid: 1000, gid: 1001 });
});

test("readNotes() keeps an arm64 tag fault's address as it is, tag and all", () => {
  const notes = note(LSB64, "CORE", 0x53494749, siginfo(LSB64, 11, 9, 0x0b00_ffff_8000_1230n)); // SEGV_MTESERR
  assert.equal(factsOf(buildCore({ machine: 183, notes })).faultAddress, 0x0b00_ffff_8000_1230n);
});

test("readNotes() counts all threads and names the first ones", () => {
  const tids = Array.from({ length: 1000 }, (_, i) => 5000 + i);
  const { threads, threadCount } = factsOf(buildCore({ notes: notesOf(LSB64, tids) }));
  assert.deepEqual([threads.length, threads[0]?.tid, threadCount], [MAX_THREADS, 5000, 1000]);
});

test("readNotes() takes what there is of notes that are cut short, and says that it is not all", () => {
  const facts = factsOf(fixture("threads").subarray(0, 0x1000)); // notes: 0x270 to 0x3a50
  assert.deepEqual([facts.signal, facts.threadCount, facts.complete], [8, 1, false]);
});

test("readNotes() has nothing to say without notes", () => {
  const facts = factsOf(buildCore({}));
  assert.deepEqual([facts.signal, facts.process, facts.threads, facts.complete], [null, null, [], true]);
});

test("readNotes() keeps no view of a buffer that the reader uses again", () => {
  const core = buildCore({ notes: notesOf(LSB64, [42]) });
  const buffer = Buffer.alloc(1 << 16);
  const read = (offset: bigint, length: number) => {
    buffer.fill(0x58);
    return buffer.subarray(0, core.copy(buffer, 0, Number(offset), Number(offset) + length));
  };
  const layout = layoutOf(read);
  const facts = layout.ok ? readNotes(read, layout.headers, layout.header) : assert.fail(layout.why);
  buffer.fill(0x58);
  assert.equal(text(facts.process?.comm), "worker");
});

for (const bytes of [0, 35, 135, 137]) {
  test(`readNotes() passes over notes of a wrong length: ${bytes}`, () => {
    const notes = [1, 3, 0x53494749].map((type) =>
      note(LSB64, "CORE", type, Buffer.alloc(Math.min(bytes, type === 3 ? 200 : 20))),
    );
    const facts = factsOf(buildCore({ notes: Buffer.concat(notes) }));
    assert.deepEqual([facts.signal, facts.process, facts.threads], [null, null, []]);
  });
}
