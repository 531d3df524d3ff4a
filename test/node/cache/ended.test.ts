import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { changesFor, type Queues } from "../../../src/cluster/steps/changes.ts";
import { missingFrom } from "../../../src/cluster/steps/missing.ts";
import type { DumpRecord } from "../../../src/domain/dump.ts";
import { newDumpId } from "../../../src/domain/id.ts";
import { STATES, type State } from "../../../src/domain/states.ts";
import { Cache } from "../../../src/node/cache/cache.ts";
import { endThoseOver } from "../../../src/node/cache/ended.ts";
import { makeRoom, usageOf } from "../../../src/node/cache/pressure.ts";
import { readRecord, writeRecord } from "../../../src/node/cache/record.ts";
import { type Entry, Spool } from "../../../src/node/cache/spool.ts";
import { leaveDumps } from "../../../src/node/install/dumps.ts";
import { AgentMetrics } from "../../../src/roles/agent/metrics.ts";
import { forgetOld, heldBy } from "../../../src/roles/agent/upkeep.ts";
import { FileLock } from "../../../src/system/lock.ts";
import { fsCalls, watchFs } from "../../support/fs-calls.ts";
import { filesOf, idOf, type TestSpool, TIME, testSpool } from "./caches.ts";

const OVER: readonly State[] = ["Denied", "Saved", "Refused", "Evicted", "Deleted", "Lost"];
const POD = { owner: "pod", pod: { namespace: "shop", name: "web-0", uid: "u" } } as const;
const CLUSTER = {
  ...{ name: "web-0-nginx-1", objectUid: "object", resourceVersion: "7" },
  ...{ namespaceUid: "n", crdUid: "c", clusterUid: "k" },
};
const MINUTE_MS = 60_000;
const after = (minutes: number): Date => new Date(TIME.getTime() + minutes * MINUTE_MS);

/** One that is over and was moved. */
async function ended(made: TestSpool, number: number, change: Partial<DumpRecord> = {}): Promise<Entry> {
  const entry = made.entry(number, { state: "Refused", reason: "NoRoom", ...change });
  await endThoseOver([entry], () => true);
  assert.ok(entry.isEnded);
  return entry;
}

const moves: readonly {
  on: string;
  change?: Partial<DumpRecord>;
  files?: readonly string[];
  min?: number;
  moved: boolean;
}[] = [
  ...STATES.map((state) => ({ on: `a host's dump in ${state}`, change: { state }, moved: OVER.includes(state) })),
  { on: "a pod's dump of which the cluster may still be told", change: POD, min: 9, moved: false },
  { on: "a pod's dump that an agent has had the time to find", change: POD, min: 11, moved: true },
  { on: "one whose core is still there: its dropper was killed", files: ["core"], moved: false },
  { on: "one with the beginning of a core", files: ["core.part"], moved: false },
  { on: "one with facts that go with the core", files: ["facts/environ"], moved: false },
  { on: "one with half of a next record", files: ["record.json.part"], moved: false },
  { on: "one with what stays: a small fact, documents", files: ["facts/comm", "pod.json"], moved: true },
  {
    on: "one whose pod's claim waits for its copy",
    change: { delivery: { state: "Pending", claim: "c", reason: null, message: null, since: TIME.toISOString() } },
    moved: false,
  },
];
for (const { on, change = {}, files = [], min = 0, moved } of moves) {
  test(`endSettled() ${moved ? "moves" : "leaves"} ${on}`, async () => {
    using made = testSpool();
    const entry = made.entry(1, { state: "Refused", ...change });
    mkdirSync(entry.path("facts"));
    for (const name of files) writeFileSync(entry.path(name), "x");
    const [record, there] = [readRecord(entry), filesOf(entry)];
    const cache = new Cache(made.spool);
    await cache.endSettled(after(min));
    const now = made.spool.entry(entry.id);
    assert.equal(now.isEnded, moved);
    assert.deepEqual([readRecord(now), filesOf(now)], [record, there]);
    assert.deepEqual(cache.records(), [record]);
    assert.deepEqual(cache.living(), moved ? [] : [record]);
  });
}

test("endSettled() leaves what somebody is at, what is no record, and at first most of a former version's", async () => {
  using made = testSpool();
  const [busy, broken] = [made.entry(1, { state: "Lost" }), made.entry(2)];
  using _other = FileLock.try(busy.lock);
  writeFileSync(broken.record, "{");
  for (let number = 10; number < 610; number++) made.entry(number, { state: "Lost" });
  const cache = new Cache(made.spool);
  await cache.endSettled(TIME);
  const left = made.spool.entries();
  assert.ok(left.length > 2 && made.spool.ended().length >= 400, `${left.length} left`);
  assert.ok(
    left.some(({ id }) => id === idOf(609)),
    "the oldest go first",
  );
  await cache.endSettled(TIME);
  assert.deepEqual(
    made.spool.entries().map(({ id }) => id),
    [broken.id, busy.id],
  );
});

test("whoever looked before the move finds the dump behind it, and its lock", async () => {
  using made = testSpool();
  const before = [1, 2].map(() => made.spool.entry(idOf(1)));
  await ended(made, 1);
  const [reader, locker] = before as [Entry, Entry];
  assert.equal(readRecord(reader)?.id, idOf(1));
  using lock = locker.tryLock();
  assert.ok(lock && locker.isEnded);
  assert.equal(made.spool.entry(idOf(1)).tryLock(), undefined, "one lock in both places");
  assert.deepEqual(readdirSync(made.spool.dir), [".ended"]);
});

test("one that is killed over the move, at any call, leaves the dump in one place; the next one moves it", async () => {
  for (let at = 1, killed = true; killed; at++) {
    using made = testSpool();
    const entry = made.entry(1, { state: "Lost" });
    const record = readRecord(entry);
    let call = 0;
    killed = false;
    {
      using _killing = watchFs((name) => {
        if (/^close|^exists/.test(name)) return; // the kernel closes what a killed one held; to look changes nothing
        killed ||= ++call >= at;
        if (killed) throw new Error("killed");
      });
      await endThoseOver([entry], () => true).catch(() => undefined);
    }
    const cache = new Cache(Spool.open(made.spool.dir));
    assert.deepEqual(cache.records(), [record], `killed at call ${at}`);
    assert.equal(made.spool.entries().length + made.spool.ended().length, 1);
    await cache.endSettled(TIME);
    assert.deepEqual(
      made.spool.ended().map(({ id }) => id),
      [entry.id],
    );
  }
});

test("commands find, change and forget what has ended as they do the others", async () => {
  using made = testSpool();
  const entry = await ended(made, 1, { state: "Saved" });
  made.captured(2, 100);
  const cache = new Cache(made.spool);
  assert.deepEqual(
    cache.records().map(({ id }) => id),
    [idOf(2), idOf(1)],
  );
  const dropped = cache.drop(cache.find(entry.id), "Deleted", "OperatorDeleted");
  assert.deepEqual(readRecord(entry), dropped);
  assert.ok(existsSync(join(made.spool.dir, ".ended", entry.id, "record.json")), "it is written where it lies");
  cache.forget(dropped);
  assert.deepEqual(
    cache.records().map(({ id }) => id),
    [idOf(2)],
  );
});

test("forgetBeyond() and forgetOld() count ended records and living ones as one", async () => {
  using made = testSpool();
  for (let number = 1; number <= 20; number++) await ended(made, number);
  for (let number = 21; number <= 40; number++) made.entry(number, { state: "Lost" });
  const cache = new Cache(made.spool);
  cache.forgetBeyond(40);
  assert.equal(cache.records().length, 40);
  cache.forgetBeyond(30); // to 28: some more go at once
  assert.deepEqual(
    cache
      .records()
      .map(({ id }) => id)
      .slice(0, 28),
    Array.from({ length: 28 }, (_, at) => idOf(40 - at)),
  );
  assert.equal(forgetOld(cache, 10 * MINUTE_MS, after(9)), 0);
  assert.equal(forgetOld(cache, 10 * MINUTE_MS, after(10)), 28);
  assert.deepEqual(made.spool.all(), []);
});

test("`uninstall` names a cache of ended records, and purges them with their place", async () => {
  using made = testSpool();
  await ended(made, 1);
  const host = { root: "/" } as Parameters<typeof leaveDumps>[2];
  assert.match(leaveDumps(made.spool.dir, false, host)[0]?.text ?? "", /^records of 1 dump stay/);
  assert.match(leaveDumps(made.spool.dir, true, host)[0]?.text ?? "", /^1 dump purged/);
  assert.equal(existsSync(made.spool.dir), false);
});

/** All that a crash, a scrape, a dump's step or the agent's minute pays for. */
const LOOKS: Readonly<Record<string, (made: TestSpool) => unknown>> = {
  usageOf: ({ spool }) => usageOf(spool),
  makeRoom: ({ spool }) => makeRoom(spool, NO_ROOM, spool.entry(idOf(1)), 1n << 40n),
  heldBy: ({ spool }) => assert.ok(heldBy(spool, "shop") > 0n),
  "/metrics": ({ spool }) => new AgentMetrics(new Cache(spool)).registry.metrics(),
  finishAbandoned: ({ spool }) => new Cache(spool).finishAbandoned(),
  endSettled: ({ spool }) => new Cache(spool).endSettled(TIME),
  living: ({ spool }) => new Cache(spool).living(),
};
const NO_ROOM = { maxDumpBytes: 1n << 50n, maxCacheBytes: 1n << 20n, minFreeBytes: 0n, ownerShare: 100 };

for (const [name, look] of Object.entries(LOOKS)) {
  test(`${name} asks the disk as often with 60 ended records as with none`, async () => {
    const counts: number[] = [];
    for (const count of [0, 0, 60]) {
      using made = testSpool();
      made.captured(1, 8192, POD);
      for (let number = 2; number < 2 + count; number++) await ended(made, number);
      counts.push(await fsCalls(() => look(made)));
    }
    const [, none = 0, many] = counts; // the first time loads something
    assert.ok(none > 0);
    assert.equal(many, none);
  });
}

test("an API's list meets ended records too: what strayed, what it forgot, what is not missing", async () => {
  using made = testSpool();
  const [same, strayed, gone] = [
    await ended(made, 1, { ...POD, state: "Saved", cluster: { ...CLUSTER, objectUid: "1" } }),
    await ended(made, 2, { ...POD, state: "Deleted", cluster: { ...CLUSTER, objectUid: "2" } }),
    await ended(made, 3, { ...POD, state: "Saved", cluster: { ...CLUSTER, objectUid: "3" } }),
  ];
  const object = ({ id }: Entry, uid: string, state: State) => ({
    metadata: { name: uid, namespace: "shop", uid, resourceVersion: "1" },
    spec: { id, node: "n" },
    status: { state },
  });
  const listed = [object(same, "1", "Saved"), object(strayed, "2", "Saved")];
  const asked: string[] = [];
  const queue = { hasten: (id: string) => asked.push(id), interrupt: () => undefined, hastenAll: () => undefined };
  const queues = { quick: queue, uploads: queue, deliveries: queue, seals: queue } as unknown as Queues;
  const absent = { deleted: new Set<string>(), forgotten: new Set<string>() };
  const cache = new Cache(made.spool);
  const changes = changesFor(cache, queues, absent);
  changes.listed(listed, "9");
  assert.deepEqual([asked.splice(0), [...absent.forgotten]], [[strayed.id, gone.id], []]);
  const again = await fsCalls(() => cache.bindings());
  assert.ok(again < 3 * 3 + 5, `${again} calls: what has not changed is not read again`);
  const record = readRecord(gone);
  assert.ok(record?.cluster);
  writeRecord(gone, { ...record, cluster: { ...record.cluster, resourceVersion: "20" } });
  changes.listed(listed, "19"); // older than what it had said
  assert.deepEqual([...absent.forgotten], ["3"]);
  assert.deepEqual(missingFrom(made.spool.all(), [object(gone, "3", "Allowed")], "words"), []);
});

test("a cache of the version before goes on: what is over moves, what is not stays, and that version sees what it knows", async () => {
  using made = testSpool();
  const text = readFileSync(new URL("fixtures/record.json", import.meta.url), "utf8"); // as that version's handler wrote it
  const old = JSON.parse(text) as DumpRecord;
  const dumps = STATES.flatMap((state) =>
    [old.pod, null].flatMap((pod) => [null, CLUSTER].map((cluster) => ({ state, pod, cluster }))),
  );
  const ids = dumps.map(({ state, pod, cluster }, at) => {
    const id = newDumpId(TIME.getTime() + at);
    const dir = join(made.spool.dir, id);
    const core = { ...old.core, path: OVER.includes(state) ? null : join(dir, "core") };
    mkdirSync(dir);
    writeFileSync(join(dir, "record.json"), JSON.stringify({ ...old, id, state, pod, cluster, core }));
    if (core.path && state !== "Capturing") writeFileSync(core.path, "core");
    return id;
  });
  for (const name of [".lock", ".kmsg"]) writeFileSync(join(made.spool.dir, name), "");
  const cache = new Cache(Spool.open(made.spool.dir));
  await cache.finishAbandoned();
  await cache.endSettled(new Date(Date.now() + 11 * MINUTE_MS));
  const open = dumps.filter(({ state }) => !OVER.includes(state) && state !== "Capturing").length;
  assert.deepEqual([cache.living().length, cache.records().length], [open, dumps.length]);
  const want = dumps.map(({ state }) => (state === "Capturing" ? "Lost" : state)); // their handlers were killed before a byte
  assert.deepEqual(
    ids.map((id) => cache.find(id).state),
    want,
  );
  assert.ok(cache.living().every(({ id }) => existsSync(made.spool.entry(id).core)));
  assert.deepEqual(
    readdirSync(made.spool.dir)
      .filter((name) => name.startsWith("."))
      .sort(),
    [".ended", ".kmsg", ".lock"],
  );
});

test("a dump that ended in a directory that is not to be had stays where it is", async () => {
  using made = testSpool();
  const entry = made.entry(1, { state: "Lost" });
  writeFileSync(join(made.spool.dir, ".ended"), "a file");
  await endThoseOver([entry], () => true);
  assert.equal(made.spool.entry(entry.id).isEnded, false);
  rmSync(join(made.spool.dir, ".ended"));
  renameSync(entry.dir, `${entry.dir}x`);
  await endThoseOver([entry], () => true); // gone
});
