import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { blankRecord, type DumpRecord, recordFrom } from "../../../src/domain/dump.ts";
import { Cache } from "../../../src/node/cache/cache.ts";
import { readRecord, recordOnDisk, recordOrNot, writeRecord } from "../../../src/node/cache/record.ts";
import { HOSTILE, RECORDS, record, UNKNOWN } from "../../cli/commands/records.ts";
import { idOf, TIME, testSpool } from "./caches.ts";

const BLANK = blankRecord(idOf(1), TIME, "node-1");

test("a record that was written is read again, whatever is in it", async () => {
  using made = testSpool();
  for (const [at, each] of [BLANK, HOSTILE, UNKNOWN, ...RECORDS].entries()) {
    const entry = made.entry(100 + at);
    const written = { ...each, id: entry.id };
    writeRecord(entry, written);
    await recordOnDisk(entry);
    assert.deepEqual(readRecord(entry), written);
    assert.deepEqual(readdirSync(entry.dir), ["record.json"]);
    assert.equal(statSync(entry.record).mode & 0o777, 0o600);
  }
});

test("a record that cannot be written leaves the one before", () => {
  using made = testSpool();
  const entry = made.entry(1);
  mkdirSync(`${entry.record}.part`); // in the way
  assert.throws(() => writeRecord(entry, { ...BLANK, state: "Captured" }));
  assert.equal(readRecord(entry)?.state, "Capturing");
});

/** Text in place of the record, made from a good one's. */
const texts: readonly { on: string; text: (good: DumpRecord) => string | Buffer; want: string }[] = [
  { on: "nothing", text: () => "", want: "missing" },
  { on: "zeros, which a power cut leaves", text: () => Buffer.alloc(4096), want: "missing" },
  { on: "half of it", text: (good) => JSON.stringify(good).slice(0, 300), want: "broken" },
  { on: "null", text: () => "null", want: "broken" },
  { on: "a list", text: () => "[]", want: "broken" },
  { on: "a string", text: () => '"version"', want: "broken" },
  { on: "an empty object", text: () => "{}", want: "broken" },
  { on: "another dump's record", text: (good) => JSON.stringify({ ...good, id: idOf(2) }), want: "broken" },
  { on: "a state that is none", text: (good) => JSON.stringify({ ...good, state: "toString" }), want: "broken" },
  { on: "no core", text: (good) => JSON.stringify({ ...good, core: null }), want: "broken" },
  { on: "a core of no fields", text: (good) => JSON.stringify({ ...good, core: [] }), want: "broken" },
  { on: "threads of another kind", text: (good) => JSON.stringify({ ...good, threads: [1] }), want: "broken" },
  { on: "a pod without a name", text: (good) => JSON.stringify({ ...good, pod: { namespace: "x" } }), want: "broken" },
  { on: "a size with a fraction", text: (good) => JSON.stringify({ ...good, hostPid: 1.5 }), want: "broken" },
  {
    on: "an endless size",
    text: (good) => JSON.stringify({ ...good, hostPid: 7 }).replace('"hostPid":7', '"hostPid":1e999'),
    want: "broken",
  },
  { on: "an earlier version", text: (good) => JSON.stringify({ ...good, version: 0 }), want: "broken" },
  { on: "a later version", text: () => '{"version":2}', want: "later" },
];
for (const { on, text, want } of texts) {
  test(`recordOrNot() calls ${on} ${want}, and the cache shows what can be told of it`, () => {
    using made = testSpool();
    const entry = made.entry(1);
    writeFileSync(entry.record, text(BLANK));
    assert.equal(recordOrNot(entry), want);
    assert.equal(readRecord(entry), undefined);
    const [shown, ...more] = new Cache(made.spool).records();
    assert.deepEqual([shown?.id, shown?.state, shown?.warnings.length, more.length], [entry.id, "Capturing", 1, 0]);
  });
}

test("recordOrNot() calls no file missing, and leaves one alone that the disk does not give", () => {
  using made = testSpool();
  const entry = made.entry(1);
  rmSync(entry.record);
  assert.equal(recordOrNot(entry), "missing");
  mkdirSync(entry.record);
  assert.equal(recordOrNot(entry), "later");
});

test("recordFrom() fills in what an earlier version did not know, and leaves what a later one added", () => {
  const { cluster: _, bundle: __, ...earlier } = BLANK;
  assert.deepEqual(recordFrom({ ...earlier, mood: "good" }), { ...BLANK, mood: "good" });
});

test("a field that is missing is null where it may be, and else there is no record", () => {
  const whole = record("3f9c2a71b0de");
  for (const name of Object.keys(whole) as (keyof DumpRecord)[]) {
    const nullable = recordFrom({ ...whole, [name]: null }) !== undefined;
    const found = recordFrom({ ...whole, [name]: undefined });
    assert.equal(found !== undefined, nullable, name);
    if (found) assert.equal(found[name], null, name);
    assert.equal(recordFrom({ ...whole, [name]: [[]] }), undefined, name);
  }
});

test("readRecord() throws at no bytes and no JSON", () => {
  using made = testSpool();
  const entry = made.entry(1);
  const json = fc
    .record({ id: fc.constant(entry.id), version: fc.constant(1) })
    .chain((base) =>
      fc
        .dictionary(fc.constantFrom(...Object.keys(BLANK)), fc.jsonValue({ maxDepth: 2 }))
        .map((change) => Buffer.from(JSON.stringify({ ...BLANK, ...base, ...change }))),
    );
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), json), (bytes) => {
      writeFileSync(entry.record, bytes);
      const found = readRecord(entry);
      if (found) assert.deepEqual(recordFrom(JSON.parse(readFileSync(entry.record, "utf8"))), found);
      new Cache(made.spool).records();
    }),
  );
});
