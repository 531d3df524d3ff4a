import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { blankRecord } from "../../../src/domain/dump.ts";
import { FAILURES } from "../../../src/domain/failures.ts";
import { mayDropLocalCopy } from "../../../src/domain/life-cycle.ts";
import { OPT_OUT_LABEL } from "../../../src/domain/wishes.ts";
import { Cache } from "../../../src/node/cache/cache.ts";
import { readRecord, writeRecord } from "../../../src/node/cache/record.ts";
import { Spool } from "../../../src/node/cache/spool.ts";
import { copyCore } from "../../../src/node/capture/copying.ts";
import { FileLock } from "../../../src/system/lock.ts";
import { filesOf, idOf, TIME } from "../../node/cache/caches.ts";
import { tempDir } from "../../support/tmp.ts";
import { CONFIRMED, CORE, type Handled, HOST, handled, QUICK, settingsOf, UNKNOWN } from "../worlds.ts";

test("a dump that could not even be begun is told of in the kernel's log, and its process let go", async () => {
  using dir = tempDir();
  chmodSync(dir.path, 0o777); // whoever may write here chooses where memory goes
  using done = await handled({ settings: { "dump-dir": dir.path } });
  assert.deepEqual([done.exitCode, done.released], [FAILURES.CACHE_UNUSABLE.exitCode, true]);
  assert.match(done.lastWords.join(), /^lost dump of pid 7 \(web\): Cannot use .* others can write it$/);
});

test("a failure on the way is told in the record and in the kernel's log, and the process let go", async () => {
  const settings = new Proxy(settingsOf({}), {
    get(all, name) {
      if (name === "maxDumps") throw new Error("something unheard of");
      return Reflect.get(all, name);
    },
  });
  using dir = tempDir();
  const dumpDir = join(dir.path, "cache");
  using done = await handled({
    settings: { "dump-dir": dumpDir },
    world: { settings: Object.assign(settings, { dumpDir }) },
  });
  assert.deepEqual(
    [done.exitCode, done.released, done.lastWords],
    [1, true, ["lost dump of pid 7 (web): something unheard of"]],
  );
  const [record] = new Cache(Spool.open(dumpDir)).records();
  assert.deepEqual([record?.state, record?.warnings], ["Capturing", ["the handler failed: something unheard of"]]);
});

test("what killed handlers left is finished behind one's own dump", async () => {
  const killed = idOf(1);
  using done = await handled({
    before(spool) {
      const entry = spool.entry(killed);
      mkdirSync(entry.dir);
      writeRecord(entry, { ...blankRecord(killed, TIME, "node-1"), dumpable: 1 });
      writeFileSync(entry.part, CORE.subarray(0, 5000));
    },
  });
  assert.deepEqual(done.records.map(({ id, state, core }) => [id === killed, state, core.truncation]).sort(), [
    [false, "Captured", null],
    [true, "Captured", "handler-killed"],
  ]);
});

/** A core that a killed handler left; `lengthBytes` long, of which it holds a few KiB. */
const leftBehind =
  (id: string, lengthBytes: number) =>
  (spool: Spool): void => {
    const entry = spool.entry(id);
    mkdirSync(entry.dir);
    writeRecord(entry, { ...blankRecord(id, TIME, "node-1"), dumpable: 1 });
    writeFileSync(entry.part, CORE);
    truncateSync(entry.part, lengthBytes);
  };

test("a handler gives way to those whose processes are held, as soon as its own is released", async () => {
  const told: string[] = [];
  const handOver = async () => {
    told.push("handed over");
    return "nobody" as const;
  };
  using _done = await handled({ world: { released: () => told.push("released"), handOver } });
  assert.deepEqual(told, ["released", "handed over"]);
});

test("a dump that cannot be finished keeps no other from its place among the ended ones", async () => {
  const [broken, over] = [idOf(1), idOf(2)];
  using done = await handled({
    before: (spool) => {
      leftBehind(broken, 1)(spool);
      mkdirSync(spool.entry(broken).lock);
      mkdirSync(spool.entry(over).dir);
      writeRecord(spool.entry(over), { ...blankRecord(over, TIME, "node-1"), state: "Refused" });
    },
  });
  assert.match(Spool.open(dirname(done.entry.dir)).entry(over).dir, /\/\.ended\//);
});

for (const { taker, state } of [
  { taker: "agent", state: "Capturing" },
  { taker: "nobody", state: "Captured" },
] as const)
  test(`a long core that a killed handler left is ${state} when the next dump has gone to ${taker}`, async () => {
    const killed = idOf(1);
    let background = 0;
    const world = { handOver: async () => taker, inBackground: () => void background++ };
    using done = await handled({ before: leftBehind(killed, 65 << 20), world });
    assert.equal(done.records.find(({ id }) => id === killed)?.state, state);
    assert.equal(background, state === "Captured" ? 1 : 0);
  });

const HANGS: readonly { on: string; state: string; copy: typeof copyCore }[] = [
  {
    on: "of the core",
    state: "Captured",
    copy: async (...args) => {
      const end = await copyCore(...args);
      return "reason" in end ? end : { ...end, received: { ...end.received, stalled: true } };
    },
  },
  {
    on: "of the stack of what is refused",
    state: "Refused",
    copy: async () => ({ reason: "TooBig", message: "too big", explaining: { how: "full", stalled: true } }),
  },
];
for (const { on, state, copy } of HANGS)
  test(`a dump of which a read ${on} hangs is recorded and handed over before the handler ends itself`, async () => {
    const told: string[] = [];
    const stateOf = (id: string): unknown => readRecord(Spool.open(dumpDir).entry(id))?.state;
    using dir = tempDir();
    const dumpDir = join(dir.path, "cache");
    let id = "";
    using _done = await handled({
      settings: { "dump-dir": dumpDir },
      parts: { copy, endHard: () => told.push(`ended, ${stateOf(id)}`) },
      world: {
        handOver: async (taken) => {
          id = taken;
          using lock = FileLock.try(Spool.open(dumpDir).entry(id).lock);
          told.push(`handed over, ${stateOf(id)}, ${lock ? "free" : "locked"}`);
          return "nobody";
        },
      },
    });
    assert.deepEqual(told, [`handed over, ${state}, free`, `ended, ${state}`]);
  });

test("the log gets a line that no name can break", async () => {
  using logs = tempDir();
  using _done = await handled({ exe: "/x/a\nb\x1b[2J", settings: { log_dir: logs.path } });
  assert.match(
    readFileSync(join(logs.path, "coredump-detector.log"), "utf8"),
    /^\S+ info Captured \S+: a\\nb\\x1b\[2J \(pid 7\), held \d+ ms\n$/,
  );
});

/** What must hold of every dump when its handler is through. */
function assertTrue({ record, entry, released, exitCode, records }: Handled, stream: Uint8Array): void {
  assert.deepEqual([released, exitCode, records.length], [true, 0, 1]);
  const { state, reason, core } = record;
  const files = filesOf(entry);
  for (const name of ["core.part", "reserved", "record.json.part"]) assert.ok(!files.includes(name), name);
  assert.ok(["Captured", "Restricted", "Refused", "Lost"].includes(state), state);
  const held = state === "Captured" || state === "Restricted";
  if (held) assert.equal(state === "Captured", record.dumpable === 1, "only what is known to be ordinary is Captured");
  assert.deepEqual([files.includes("core"), core.path], [held, held ? entry.core : null]);
  assert.equal(mayDropLocalCopy(record), state === "Refused");
  if (!held) assert.notEqual(reason, null);
  if (!held) return;
  const bytes = readFileSync(entry.core);
  assert.ok(bytes.equals(Buffer.from(stream).subarray(0, bytes.length)), "a beginning of what came");
  assert.equal(core.sha256, createHash("sha256").update(bytes).digest("hex"));
  assert.equal(core.sizeBytes, bytes.length);
  assert.equal(core.complete, core.truncation === null);
  if (core.complete) assert.ok(bytes.length >= CORE.length && core.expectedBytes === CORE.length);
  assert.equal(reason, state === "Restricted" ? "NotDumpable" : core.complete ? null : "Truncated");
}

const streams = fc.oneof(
  fc.nat(CORE.length).map((cut) => CORE.subarray(0, cut)),
  fc.constant(CORE),
  fc.uint8Array({ maxLength: 300 }),
  fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 }).map((changes) => {
    const changed = Buffer.from(CORE);
    for (const [at, byte] of changes) changed[at] = byte;
    return changed;
  }),
);
const sizes = fc.constantFrom("1", "4Ki", "8Ki", "1Gi");

test("whatever comes, whoever answers and however little room there is: the record is true and the process let go", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        stream: streams,
        dumpable: fc.constantFrom(0, 1, 2, undefined),
        gone: fc.boolean(),
        quick: fc.constantFrom(QUICK, HOST, UNKNOWN),
        answer: fc.constantFrom("confirmed", "opted out", "fails"),
        settings: fc.record({ "max-dump-size": sizes, "cache-size": sizes }),
      }),
      async ({ stream, dumpable, gone, quick, answer, settings }) => {
        using done = await handled({
          stream,
          call: { dumpable, ...(gone && { hostPid: 8 }) },
          settings,
          quickly: () => quick,
          byApi: async () => {
            if (answer === "fails") throw new Error("no engine");
            return answer === "opted out" ? { ...CONFIRMED, labels: { [OPT_OUT_LABEL]: "true" } } : CONFIRMED;
          },
        });
        assertTrue(done, stream);
      },
    ),
    { numRuns: 60 },
  );
});
