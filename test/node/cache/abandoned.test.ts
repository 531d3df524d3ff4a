/** Whoever opens the cache finishes what somebody did not live to: from any step on, with any loss that a power cut may bring. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { type Crash, shortened } from "../../../src/domain/crash.ts";
import { blankRecord, type DumpRecord } from "../../../src/domain/dump.ts";
import { advance } from "../../../src/domain/life-cycle.ts";
import { abandonedRecord, type Explain, finishIfAbandoned } from "../../../src/node/cache/abandoned.ts";
import { Cache } from "../../../src/node/cache/cache.ts";
import { readRecord, writeRecord } from "../../../src/node/cache/record.ts";
import { seal } from "../../../src/node/cache/seal.ts";
import type { Entry } from "../../../src/node/cache/spool.ts";
import { FileLock } from "../../../src/system/lock.ts";
import { anyCrash } from "../../support/any-crash.ts";
import { coreOf, filesOf, idOf, type TestSpool, TIME, testSpool } from "./caches.ts";

const CORE = coreOf();
const SIZE = CORE.length;

/** The handler's steps on the disk, and then those of a decision; it may be killed behind each. */
const STEPS: readonly { readonly name: string; do(entry: Entry, draft: DumpRecord): unknown }[] = [
  { name: "directory", do: (entry) => void mkdirSync(entry.dir, { mode: 0o700 }) },
  { name: "lock", do: (entry) => writeFileSync(entry.lock, "") },
  { name: "record", do: writeRecord },
  { name: "claim", do: (entry) => writeFileSync(entry.reserved, "65536") },
  { name: "part", do: (entry) => writeFileSync(entry.part, "") },
  { name: "facts", do: (entry) => void facts(entry) },
  { name: "head", do: (entry) => writeFileSync(entry.part, CORE.subarray(0, 4096)) },
  { name: "half", do: (entry) => writeFileSync(entry.part, CORE.subarray(0, 6000)) },
  { name: "all", do: (entry) => writeFileSync(entry.part, CORE) },
  { name: "arrived", do: (entry, draft) => writeRecord(entry, arrived(draft)) },
  { name: "named", do: (entry) => renameSync(entry.part, entry.core) },
  { name: "unclaimed", do: (entry) => rmSync(entry.reserved) },
  {
    name: "sealed",
    do: (entry, draft) =>
      seal(entry, arrived(draft), { truncation: undefined, sizeBytes: BigInt(SIZE), threadNames: new Map() }),
  },
  {
    name: "decided",
    do: (entry) =>
      writeRecord(entry, advance(readRecord(entry) ?? assert.fail(), "Evicted", { reason: "MadeRoom" }, TIME)),
  },
  { name: "dropped", do: (entry) => rmSync(entry.core) },
];
const stepOf = (name: string): number => STEPS.findIndex((step) => step.name === name);

function facts(entry: Entry): void {
  mkdirSync(entry.path("facts"));
  writeFileSync(entry.path("facts/comm"), "ng\x1binx\n");
  writeFileSync(entry.path("facts/stat"), "31605 (nginx) S 1");
  writeFileSync(entry.path("facts/dumpable"), "1\n");
}

const arrived = (draft: DumpRecord): DumpRecord => ({
  ...draft,
  heldMs: 3,
  core: { ...draft.core, sizeBytes: SIZE, capture: "drain" },
});

/** What a power cut takes of things that were not yet flushed. */
interface Loss {
  readonly record: "whole" | "empty" | "gone" | "garbage";
  /** Bytes that the core's file has lost at its end; all of them: the file itself. */
  readonly coreBytes: number;
}
const NO_LOSS: Loss = { record: "whole", coreBytes: 0 };

async function killedBehind(made: TestSpool, step: number, loss: Loss = NO_LOSS): Promise<Entry> {
  const entry = made.spool.entry(idOf(1));
  const draft = { ...blankRecord(entry.id, TIME, "node-1"), hostPid: 7, executable: "nginx", dumpable: 1 };
  for (const { do: act } of STEPS.slice(0, step + 1)) await act(entry, draft);
  lose(entry, loss);
  utimesSync(entry.dir, 0, 0); // long ago
  return entry;
}

function lose(entry: Entry, { record, coreBytes }: Loss): void {
  if (existsSync(entry.record)) {
    if (record === "gone") rmSync(entry.record);
    if (record === "empty") writeFileSync(entry.record, "");
    if (record === "garbage") writeFileSync(entry.record, '{"version":1,');
  }
  for (const path of [entry.part, entry.core].filter((path) => existsSync(path))) {
    const { length } = readFileSync(path);
    if (coreBytes >= length) rmSync(path);
    else truncateSync(path, length - coreBytes);
  }
}

/** What must hold of every dump that is not under way, whatever happened to it. */
function assertTrue(entry: Entry): DumpRecord {
  const record = readRecord(entry);
  assert.ok(record, "there is a record");
  const { state, reason, core } = record;
  const files = filesOf(entry);
  assert.ok(!files.includes("core.part") && !files.includes("reserved"), files.join());
  const held = state === "Captured" || state === "Restricted";
  assert.equal(files.includes("core"), held, state);
  assert.ok(held || ["Lost", "Evicted"].includes(state), state);
  assert.equal(state === "Restricted", held && record.dumpable !== 1, "only what is known to be ordinary is Captured");
  if (state === "Lost")
    assert.deepEqual([reason, core.sizeBytes, core.complete, core.path], ["NothingReceived", 0, false, null]);
  if (!held) return record;
  const bytes = readFileSync(entry.core);
  assert.ok(bytes.equals(CORE.subarray(0, bytes.length)), "a beginning of the core");
  assert.equal(core.sha256, createHash("sha256").update(bytes).digest("hex"));
  assert.deepEqual([core.sizeBytes, core.logicalBytes, core.path], [bytes.length, bytes.length, entry.core]);
  assert.ok(!core.complete || bytes.length === SIZE, "complete only when it is");
  const cut = core.complete ? null : "Truncated";
  assert.deepEqual([core.truncation === null, reason], [core.complete, state === "Restricted" ? "NotDumpable" : cut]);
  return record;
}

const ends: readonly { behind: string; state: string; core?: Partial<DumpRecord["core"]>; gaps?: boolean }[] = [
  { behind: "directory", state: "Lost", core: { truncation: "handler-killed" } },
  { behind: "lock", state: "Lost", core: { truncation: "handler-killed" } },
  { behind: "record", state: "Lost", core: { truncation: "handler-killed" } },
  { behind: "claim", state: "Lost", core: { truncation: "handler-killed" } },
  { behind: "part", state: "Lost", core: { truncation: "handler-killed" } },
  { behind: "half", state: "Captured", core: { truncation: "handler-killed", sizeBytes: 6000 }, gaps: true },
  { behind: "all", state: "Captured", core: { truncation: "handler-killed", sizeBytes: SIZE }, gaps: true },
  { behind: "arrived", state: "Captured", core: { complete: true } },
  { behind: "named", state: "Captured", core: { complete: true } },
  { behind: "sealed", state: "Captured", core: { complete: true } },
  { behind: "decided", state: "Evicted", core: {} },
  { behind: "dropped", state: "Evicted", core: {} },
];
for (const { behind, state, core, gaps = false } of ends) {
  test(`finishIfAbandoned() of a dump whose holder was killed behind "${behind}" ends ${state}`, async () => {
    using made = testSpool();
    const entry = await killedBehind(made, stepOf(behind));
    await finishIfAbandoned(entry);
    const record = assertTrue(entry);
    assert.equal(record.state, state);
    assert.deepEqual({ ...record.core, ...core }, record.core);
    assert.equal(
      record.warnings.some((warning) => /zeros instead of data/.test(warning)),
      gaps,
    );
  });
}

const losses = fc.record({
  record: fc.constantFrom<Loss["record"]>("whole", "whole", "empty", "gone", "garbage"),
  coreBytes: fc.oneof(fc.constant(0), fc.nat(SIZE), fc.constant(SIZE)),
});

test("finishIfAbandoned() leaves a true record, whatever step was the last and whatever a power cut took; and once is enough", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(STEPS.length - 1), losses, async (step, loss) => {
      using made = testSpool();
      // What has been flushed stays: behind "sealed" a power cut takes nothing any more.
      const entry = await killedBehind(made, step, step < stepOf("sealed") ? loss : NO_LOSS);
      await finishIfAbandoned(entry);
      assertTrue(entry);
      const before = readFileSync(entry.record);
      await finishIfAbandoned(entry);
      assert.ok(readFileSync(entry.record).equals(before));
      assert.equal(new Cache(made.spool).records().length, 1);
    }),
    { numRuns: 60 },
  );
});

test("finishIfAbandoned() keeps what can be told without a record, and the broken one beside it", async () => {
  using made = testSpool();
  const entry = await killedBehind(made, stepOf("all"), { record: "garbage", coreBytes: 0 });
  await finishIfAbandoned(entry);
  const { hostPid, comm, executable, dumptime, warnings } = assertTrue(entry);
  assert.deepEqual([hostPid, comm, executable], [31605, "ng\x1binx", "ng\x1binx"]);
  assert.equal(dumptime, new Date(0x019e00000000).toISOString());
  assert.match(warnings[0] ?? "", /record cannot be read/);
  assert.ok(filesOf(entry).includes("record.broken"));
});

const modes = [
  { on: "the handler noted that it was ordinary", mode: "1\n", want: [1, "Captured"] },
  { on: "it was noted not to be", mode: "2\n", want: [2, "Restricted"] },
  {
    on: "its ids differ: a set-uid program, whatever was noted",
    mode: "1\n",
    uid: "1000\t0\t0\t0",
    want: [2, "Restricted"],
  },
  { on: "nothing was noted; ids that are all the same prove nothing (nginx's workers)", want: [null, "Restricted"] },
  { on: "a power cut took the note's bytes", mode: "\0\0", want: [null, "Restricted"] },
  { on: "no fact is there", uid: null, want: [null, "Restricted"] },
];
for (const { on, mode, uid = "33\t33\t33\t33", want } of modes) {
  test(`finishIfAbandoned() of a dump whose record is lost, where ${on}: ${want.join(", ")}`, async () => {
    using made = testSpool();
    const entry = await killedBehind(made, stepOf("all"), { record: "gone", coreBytes: 0 });
    if (mode === undefined) rmSync(entry.path("facts/dumpable"));
    else writeFileSync(entry.path("facts/dumpable"), mode);
    if (uid !== null) writeFileSync(entry.path("facts/status"), `Name:\tx\nUid:\t${uid}\nGid:\t33\t33\t33\t33\n`);
    await finishIfAbandoned(entry);
    const { dumpable, state } = assertTrue(entry);
    assert.deepEqual([dumpable, state], want);
  });
}

test("abandonedRecord() says nothing that it does not know", () => {
  using made = testSpool();
  const { hostPid, comm, executable, state } = abandonedRecord(made.entry(1));
  assert.deepEqual([hostPid, comm, executable, state], [0, null, "unknown", "Capturing"]);
});

const untouched: readonly { on: string; hold?: boolean; prepare(entry: Entry): void }[] = [
  { on: "a dump that is under way: its lock is held", hold: true, prepare: (entry) => writeFileSync(entry.part, CORE) },
  { on: "a directory that was made just now", prepare: (entry) => rmSync(entry.record) },
  {
    on: "a record of a later version",
    prepare(entry) {
      writeFileSync(entry.record, '{"version":2}');
      utimesSync(entry.dir, 0, 0);
    },
  },
  {
    on: "a captured dump",
    prepare(entry) {
      writeRecord(entry, { ...(readRecord(entry) ?? assert.fail()), state: "Captured" });
      writeFileSync(entry.core, CORE);
    },
  },
];
for (const { on, hold = false, prepare } of untouched) {
  test(`finishIfAbandoned() leaves ${on} alone`, async () => {
    using made = testSpool();
    const entry = made.entry(1);
    prepare(entry);
    using _handler = hold ? FileLock.try(entry.lock) : undefined;
    const look = () => filesOf(entry).map((name) => [name, readFileSync(entry.path(name), "latin1")]);
    const before = look();
    await finishIfAbandoned(entry);
    assert.deepEqual(look(), before);
  });
}

test("finishIfAbandoned() takes a clock that was set back for no youth", async () => {
  using made = testSpool();
  const entry = await killedBehind(made, stepOf("directory"));
  utimesSync(entry.dir, 1e10, 1e10);
  await finishIfAbandoned(entry);
  assert.equal(assertTrue(entry).state, "Lost");
});

test("a dump that went for its owner's opt-out loses its facts with it, and a decision cut short is made up for", async () => {
  using made = testSpool();
  const entry = made.captured(1, 4096, { state: "Refused", reason: "OptedOut" });
  facts(entry);
  rmSync(entry.core); // killed between the two
  await finishIfAbandoned(entry);
  assert.deepEqual(filesOf(entry), ["record.json"]);
});

test("finishAbandoned() finishes the others when one cannot be, and then says so", async () => {
  using made = testSpool();
  const bad = made.entry(2);
  mkdirSync(bad.part); // no file: cannot be sealed
  const good = made.entry(1);
  writeFileSync(good.part, CORE);
  await assert.rejects(new Cache(made.spool).finishAbandoned());
  assert.equal(assertTrue(good).state, "Captured");
});

const crashWith = (title: string): Crash => ({
  ...shortened(fc.sample(anyCrash, { numRuns: 1, seed: 1 })[0] ?? assert.fail()),
  title,
});
const CRASH = crashWith("out of its core");
const explaining: {
  on: string;
  behind: string;
  before: Partial<DumpRecord>;
  calls: number;
  crash: unknown;
}[] = [
  { on: "has no stack yet", behind: "arrived", before: {}, calls: 1, crash: CRASH },
  {
    on: "has one, with names that only its handler could read",
    behind: "arrived",
    before: { crash: crashWith("first") },
    calls: 0,
    crash: crashWith("first"),
  },
  { on: "holds nothing", behind: "part", before: {}, calls: 0, crash: null },
];
for (const { on, behind, before, calls, crash } of explaining)
  test(`finishIfAbandoned() of a dump that ${on} asks ${calls} times why it crashed`, async () => {
    using made = testSpool();
    const entry = await killedBehind(made, stepOf(behind));
    writeRecord(entry, { ...(readRecord(entry) ?? assert.fail()), ...before });
    const asked: bigint[] = [];
    const explain: Explain = async (_, coreBytes) => {
      asked.push(coreBytes);
      return { crash: CRASH, warnings: ["and more"] };
    };
    await new Cache(made.spool, explain).finishAbandoned();
    const record = readRecord(entry);
    assert.deepEqual(asked, calls ? [BigInt(SIZE)] : []);
    assert.deepEqual(record?.crash, crash);
    assert.equal(record?.warnings.includes("and more"), calls > 0);
  });

test("finishIfAbandoned() asks once, also where whoever asked was killed over it", async () => {
  using made = testSpool();
  const entry = await killedBehind(made, stepOf("arrived"));
  let asked = 0;
  const explain: Explain = () => {
    asked++;
    throw new Error("killed"); // what follows does not happen
  };
  await assert.rejects(finishIfAbandoned(entry, { explain }));
  await finishIfAbandoned(entry, { explain });
  const record = readRecord(entry);
  assert.deepEqual([asked, record?.state, record?.crash], [1, "Captured", null]);
  assert.match(record?.warnings.join() ?? "", /its stack was not read/);
});
