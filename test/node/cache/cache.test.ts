import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { blankRecord } from "../../../src/domain/dump.ts";
import { newDumpId } from "../../../src/domain/id.ts";
import { beginEntry } from "../../../src/node/cache/begin.ts";
import { Cache } from "../../../src/node/cache/cache.ts";
import { readRecord } from "../../../src/node/cache/record.ts";
import { FileLock } from "../../../src/system/lock.ts";
import { tempDir } from "../../support/tmp.ts";
import { filesOf, idOf, TIME, testSpool } from "./caches.ts";

const draft = (number = 1) => blankRecord(idOf(number), TIME, "node-1");

test("beginEntry() makes directory and record, root's alone, and holds the lock until it is let go", async () => {
  using dir = tempDir();
  const path = join(dir.path, "cache");
  const { entry } = await begun(path);
  using free = FileLock.try(entry.lock);
  assert.ok(free);
  assert.deepEqual(
    [path, entry.dir].map((made) => statSync(made).mode & 0o7777),
    [0o700, 0o700],
  );
  assert.deepEqual(readRecord(entry), draft());

  async function begun(path: string) {
    using open = beginEntry(path, draft());
    assert.equal(FileLock.try(open.entry.lock), undefined);
    assert.equal(await open.toDisk(), undefined);
    return { entry: open.entry };
  }
});

test("beginEntry() leaves no directory when there can be no record: it would pass for a killed handler's", () => {
  using made = testSpool();
  const id = idOf(7);
  const record = {
    ...draft(7),
    toJSON: () => {
      throw new Error("no room");
    },
  };
  assert.throws(() => beginEntry(made.spool.dir, record), { code: "CACHE_UNUSABLE", message: /no room/ });
  assert.deepEqual(readdirSync(made.spool.dir), []);
  assert.equal(existsSync(made.spool.entry(id).dir), false);
});

test("beginEntry() refuses a directory that others can write, and changes nothing there", () => {
  using dir = tempDir();
  chmodSync(dir.path, 0o777);
  assert.throws(() => beginEntry(dir.path, draft()), { code: "CACHE_UNUSABLE" });
  assert.deepEqual(readdirSync(dir.path), []);
});

test("records() come newest first", () => {
  using made = testSpool();
  for (const number of [2, 1, 3]) made.entry(number);
  assert.deepEqual(
    new Cache(made.spool).records().map(({ id }) => id),
    [idOf(3), idOf(2), idOf(1)],
  );
});

const finds = [
  { on: "a full id", name: idOf(0xabc1), found: 0xabc1 },
  { on: "a full id in capitals", name: idOf(0xabc1).toUpperCase(), found: 0xabc1 },
  { on: "a short id", name: "00000000abc1", found: 0xabc1 },
  { on: "an unambiguous part of one", name: "abc1", found: 0xabc1 },
  { on: "an id's beginning that several have", name: "019e0000", code: "DUMP_AMBIGUOUS" },
  { on: "too few digits to mean one", name: "bc1", code: "DUMP_NOT_FOUND" },
  { on: "nothing", name: "", code: "DUMP_NOT_FOUND" },
  { on: "a path", name: "../../etc", code: "DUMP_NOT_FOUND" },
] as const;
for (const each of finds) {
  test(`find() by ${each.on}`, () => {
    using made = testSpool();
    for (const number of [0xabc1, 0xabd2]) made.entry(number);
    const find = () => new Cache(made.spool).find(each.name).id;
    if ("found" in each) assert.equal(find(), idOf(each.found));
    else assert.throws(find, (error: { code?: string; hint?: string }) => error.code === each.code && !!error.hint);
  });
}

test("find() prefers the whole short id to another dump's that contains it", () => {
  using made = testSpool();
  made.entry(1);
  const whole = "000000000001";
  assert.equal(new Cache(made.spool).find(whole).id, idOf(1));
});

test("drop() records the decision and then lets the core go", () => {
  using made = testSpool();
  const entry = made.captured(1, 100);
  const cache = new Cache(made.spool);
  const dropped = cache.drop(cache.find(entry.id), "Deleted", "OperatorDeleted", "by hand");
  assert.deepEqual(readRecord(entry), dropped);
  assert.deepEqual(
    [dropped.state, dropped.reason, dropped.message, dropped.core.path],
    ["Deleted", "OperatorDeleted", "by hand", null],
  );
  assert.deepEqual(filesOf(entry), ["record.json"]);
});

test("drop() goes by the record as it is now, not as it was when somebody looked", () => {
  using made = testSpool();
  const entry = made.captured(1, 100);
  const cache = new Cache(made.spool);
  const seen = cache.find(entry.id);
  cache.drop(seen, "Evicted", "MadeRoom");
  assert.throws(() => cache.drop(seen, "Refused", "OptedOut"), { code: "UNEXPECTED" });
  assert.equal(readRecord(entry)?.state, "Evicted");
});

test("drop() and forget() leave a dump alone that somebody is at", () => {
  using made = testSpool();
  const entry = made.captured(1, 100);
  const cache = new Cache(made.spool);
  using _other = FileLock.try(entry.lock);
  const record = cache.find(entry.id);
  assert.throws(() => cache.drop(record, "Deleted", "OperatorDeleted"), { code: "DUMP_BUSY" });
  assert.throws(() => cache.forget(record), { code: "DUMP_BUSY" });
  assert.deepEqual(filesOf(entry), ["core", "record.json"]);
});

test("forget() removes all there is of a dump, and nothing of another", () => {
  using made = testSpool();
  const entry = made.captured(1, 100);
  const other = made.captured(2, 100);
  mkdirSync(entry.path("facts"));
  writeFileSync(entry.path("facts/comm"), "x");
  const cache = new Cache(made.spool);
  cache.forget(cache.find(entry.id));
  assert.deepEqual(readdirSync(made.spool.dir), [other.id]);
  assert.equal(readFileSync(other.core).length, 100);
});

test("corePath() lies in the dump's own directory", () => {
  using made = testSpool();
  const id = newDumpId(1);
  assert.equal(new Cache(made.spool).corePath({ ...draft(), id }), join(made.spool.dir, id, "core"));
});

test("forgetBeyond() forgets the oldest records that hold nothing, beyond a number, and none that is being worked on", () => {
  using made = testSpool();
  const states = ["Evicted", "Captured", "Lost", "Refused", "Capturing", "Saved", "Captured", "Refused"] as const;
  const entries = states.map((state, number) => made.entry(number, { state }));
  using _busy = FileLock.try(entries[3]?.lock ?? "");
  new Cache(made.spool).forgetBeyond(2); // two at most, so one: some more go at once
  const left = entries.flatMap((entry, number) => (existsSync(entry.dir) ? [number] : []));
  assert.deepEqual(left, [1, 3, 4, 6, 7]);
});

test("forgetBeyond() forgets a crash loop's own records, not those of others that are older", () => {
  using made = testSpool();
  const of = (namespace: string) =>
    ({ owner: "pod", pod: { namespace, name: "x", uid: "x" }, state: "Refused" }) as const;
  const others = [1, 2, 3].map((number) => made.entry(number, of("shop")));
  for (let number = 10; number < 40; number++) {
    made.entry(number, of("loop"));
    new Cache(made.spool).forgetBeyond(10);
    assert.ok(
      others.every((entry) => existsSync(entry.record)),
      `crash ${number}`,
    );
    assert.ok(made.spool.entries().length <= 10);
  }
});
