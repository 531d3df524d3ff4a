import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import type { CaptureSettings } from "../../../src/config/options.ts";
import type { DumpRecord } from "../../../src/domain/dump.ts";
import { STATES, type State } from "../../../src/domain/states.ts";
import { finishDrop } from "../../../src/node/cache/decide.ts";
import {
  heldBytes,
  type Limits,
  limitsFor,
  makeRoom,
  Reservation,
  roomIn,
  usageOf,
} from "../../../src/node/cache/pressure.ts";
import { readRecord } from "../../../src/node/cache/record.ts";
import type { Entry } from "../../../src/node/cache/spool.ts";
import { FileLock } from "../../../src/system/lock.ts";
import { filesOf, idOf, type TestSpool, testSpool } from "./caches.ts";

const KIB = 1024;
const BLOCK = 4096n; // what a file takes is a multiple of this wherever tests run
const limits = (maxCacheBytes: bigint, change: Partial<Limits> = {}): Limits => ({
  maxDumpBytes: 1n << 40n,
  maxCacheBytes,
  minFreeBytes: 0n,
  ownerShare: 50,
  ...change,
});
/** What a dump was granted. */
const claimOf = (entry: Entry): bigint =>
  existsSync(entry.reserved) ? BigInt(readFileSync(entry.reserved, "latin1").trim()) : 0n;
/** `makeRoom()` for a dump of the same owner. */
const room = (made: TestSpool, limits: Limits, wantedBytes: bigint) =>
  makeRoom(made.spool, limits, made.spool.entry(idOf(99)), wantedBytes);
const statesOf = (entries: readonly Entry[]) => entries.map((entry) => readRecord(entry)?.state);

test("limitsFor() takes the lesser of share and size, and shares of the whole file system", () => {
  using made = testSpool();
  const settings = { maxDumpBytes: 5n, cacheShare: 20, freeShare: 15, namespaceShare: 50 } as CaptureSettings;
  const byShare = limitsFor(made.spool.dir, settings);
  assert.equal(byShare.maxDumpBytes, 5n);
  assert.ok(byShare.maxCacheBytes > byShare.minFreeBytes && byShare.minFreeBytes > 0n);
  assert.equal(limitsFor(made.spool.dir, { ...settings, cacheBytes: 7n }).maxCacheBytes, 7n);
  const huge = { ...settings, cacheBytes: 1n << 62n };
  assert.equal(limitsFor(made.spool.dir, huge).maxCacheBytes, byShare.maxCacheBytes);
});

const rooms = [
  { on: "an empty cache", usage: [0n, 0n, 1000n], minFree: 0n, want: 100n },
  { on: "a cache half full", usage: [40n, 0n, 1000n], minFree: 0n, want: 60n },
  { on: "a disk with less than the cache may have", usage: [0n, 0n, 30n], minFree: 0n, want: 30n },
  { on: "a disk of which some must stay free", usage: [0n, 0n, 130n], minFree: 100n, want: 30n },
  { on: "a disk of which some is promised", usage: [50n, 20n, 60n], minFree: 10n, want: 30n },
  { on: "limits that were lowered", usage: [150n, 0n, 1000n], minFree: 0n, want: -50n },
] as const;
for (const { on, usage, minFree, want } of rooms) {
  test(`roomIn() ${on}`, () => {
    const [takenBytes, outstandingBytes, freeBytes] = usage;
    assert.equal(roomIn({ takenBytes, outstandingBytes, freeBytes }, limits(100n, { minFreeBytes: minFree })), want);
  });
}

test("usageOf() counts what cores take, whole or in part, and what living handlers were promised", () => {
  using made = testSpool();
  made.captured(1, 64 * KIB);
  writeFileSync(made.entry(2).part, Buffer.alloc(16 * KIB, 1));
  made.entry(3, { state: "Refused" });
  const claiming = made.entry(4);
  writeFileSync(claiming.part, Buffer.alloc(4 * KIB, 1));
  writeFileSync(claiming.reserved, String(32 * KIB));
  using _handler = FileLock.try(claiming.lock);
  writeFileSync(made.entry(5).reserved, String(1 << 30)); // its handler was killed: nobody holds the lock
  writeFileSync(made.entry(6).reserved, "rubbish");
  const { takenBytes, outstandingBytes, freeBytes } = usageOf(made.spool);
  assert.equal(takenBytes, BigInt((64 + 16 + 32) * KIB));
  assert.equal(outstandingBytes, BigInt((32 - 4) * KIB));
  assert.ok(freeBytes > 0n);
});

test("heldBytes() leaves out holes", () => {
  using made = testSpool();
  const entry = made.captured(1, 4 * KIB);
  truncateSync(entry.core, 1 << 30);
  assert.equal(heldBytes(entry), BLOCK);
});

test("heldBytes() counts the facts whose length the process chose, for as long as there is a core", () => {
  using made = testSpool();
  const entry = made.captured(1, 4 * KIB);
  mkdirSync(entry.path("facts"));
  for (const name of ["maps", "cmdline", "stat"]) writeFileSync(entry.path(`facts/${name}`), Buffer.alloc(8 * KIB, 1));
  assert.equal(heldBytes(entry), BLOCK + 2n * 2n * BLOCK);
  finishDrop(entry, { ...(readRecord(entry) as DumpRecord), state: "Evicted" });
  assert.equal(heldBytes(entry), 0n);
  assert.deepEqual(readdirSync(entry.path("facts")), ["stat"]);
});

/** Three dumps of 64 KiB, the first the oldest. */
const three = (made: TestSpool, change: readonly { state?: State }[] = []) =>
  [1, 2, 3].map((number, at) => made.captured(number, 64 * KIB, change[at]));

const evictions = [
  { on: "there is room", cache: 256, wanted: 64, left: ["Captured", "Captured", "Captured"], room: 64 },
  { on: "one must go: the oldest", cache: 256, wanted: 65, left: ["Evicted", "Captured", "Captured"], room: 128 },
  { on: "two must go", cache: 256, wanted: 129, left: ["Evicted", "Evicted", "Captured"], room: 192 },
  { on: "all must go", cache: 256, wanted: 256, left: ["Evicted", "Evicted", "Evicted"], room: 256 },
  {
    on: "all would not suffice: none goes",
    cache: 256,
    wanted: 257,
    left: ["Captured", "Captured", "Captured"],
    room: 64,
  },
  { on: "the limits are exceeded already", cache: 100, wanted: 30, left: ["Evicted", "Evicted", "Captured"], room: 36 },
  {
    on: "they are exceeded and all would not suffice",
    cache: 100,
    wanted: 101,
    left: ["Captured", "Captured", "Captured"],
    room: 0,
  },
  { on: "nothing is wanted", cache: 100, wanted: 0, left: ["Captured", "Captured", "Captured"], room: 0 },
] as const;
for (const { on, cache, wanted, left, room: want } of evictions) {
  test(`makeRoom() where ${on}`, () => {
    using made = testSpool();
    const entries = three(made);
    assert.equal(room(made, limits(BigInt(cache * KIB)), BigInt(wanted * KIB)), BigInt(want * KIB));
    assert.deepEqual(statesOf(entries), left);
    for (const entry of entries) assert.equal(existsSync(entry.core), readRecord(entry)?.state === "Captured");
  });
}

test("makeRoom() evicts every state that holds a core but a dump under way, and no other", () => {
  for (const state of STATES) {
    using made = testSpool();
    const entry = made.captured(1, 64 * KIB, { state });
    room(made, limits(64n * 1024n), 1024n);
    const evictable = ["Captured", "Created", "Allowed", "FailedToSave", "Restricted"].includes(state);
    assert.equal(readRecord(entry)?.state, evictable ? "Evicted" : state);
    assert.equal(existsSync(entry.core), !evictable);
  }
});

test("makeRoom() says why the core went, in the record", () => {
  using made = testSpool();
  const entry = made.captured(1, 64 * KIB, { core: { ...readRecordCore(), path: "/x" } });
  room(made, limits(64n * 1024n), 2048n);
  const { reason, message, core } = readRecord(entry) ?? assert.fail();
  assert.deepEqual([reason, message, core.path], ["MadeRoom", "made room for a newer dump of 2 KiB", null]);
});

const readRecordCore = () => {
  using made = testSpool();
  return readRecord(made.entry(1))?.core ?? assert.fail();
};

test("makeRoom() passes by a dump that somebody else has the lock of, and one whose record is broken", () => {
  using made = testSpool();
  const [locked, broken, third] = three(made) as [Entry, Entry, Entry];
  using _other = FileLock.try(locked.lock);
  writeFileSync(broken.record, "{");
  room(made, limits(192n * 1024n), 1024n);
  assert.deepEqual(statesOf([locked, third]), ["Captured", "Evicted"]);
  assert.ok(existsSync(broken.core));
});

test("a crash loop of one namespace drops its own cores, never another's three that are not saved yet", () => {
  using made = testSpool();
  const of = (namespace: string) => ({ owner: "pod", pod: { namespace, name: "x", uid: "x" } }) as const;
  const others = [1, 2, 3].map((number) => made.captured(number, 64 * KIB, of("shop")));
  const loop: Entry[] = [];
  for (let number = 10; number < 40; number++) {
    const next = made.entry(number, of("loop"));
    assert.ok(makeRoom(made.spool, limits(512n * 1024n), next, 64n * 1024n) >= 64n * 1024n);
    loop.push(made.captured(number, 64 * KIB, of("loop")));
    assert.deepEqual(statesOf(others), ["Captured", "Captured", "Captured"], `crash ${number}`);
  }
  const held = loop.filter((entry) => readRecord(entry)?.state === "Captured");
  assert.deepEqual(held, loop.slice(-4)); // half of the cache, though there were room for a fifth
});

test("a reservation refuses what is too big before it looks for room, and evicts nothing for it", async () => {
  using made = testSpool();
  const [oldest] = three(made);
  const entry = made.entry(9);
  const claim = new Reservation(made.spool, entry, limits(1n << 30n, { maxDumpBytes: 1000n }));
  assert.equal(await claim.take(1001n), "TooBig");
  assert.equal(await claim.take(1000n), undefined);
  assert.equal(claimOf(entry), 1000n);
  assert.deepEqual(statesOf(oldest ? [oldest] : []), ["Captured"]);
  claim.end();
  assert.deepEqual(filesOf(entry), ["record.json"]);
});

test("a reservation that finds no room leaves no claim", async () => {
  using made = testSpool();
  const entry = made.entry(1);
  assert.equal(await new Reservation(made.spool, entry, limits(1000n)).take(1001n), "NoRoom");
  assert.deepEqual(filesOf(entry), ["record.json"]);
});

test("a reservation of nothing is granted even when the cache is over its limit: an empty core is no question of room", async () => {
  using made = testSpool();
  made.captured(1, 64 * KIB, { state: "Saved" });
  const claim = new Reservation(made.spool, made.entry(2), limits(1000n));
  assert.equal(await claim.take(0n), undefined);
  assert.equal(await claim.allow(1n), "cache-full");
});

test("a reservation grows as the dump does, in steps, up to the limits", async () => {
  using made = testSpool();
  const entry = made.entry(1);
  using _handler = FileLock.try(entry.lock);
  const claim = new Reservation(made.spool, entry, limits(1n << 30n, { maxDumpBytes: 600n << 20n }));
  assert.equal(await claim.take(0n), undefined);
  assert.equal(await claim.allow(1n), undefined);
  assert.equal(claimOf(entry), (256n << 20n) + 1n);
  assert.equal(claim.allow(256n << 20n), undefined); // within what was granted: at once
  assert.equal(await claim.allow(500n << 20n), undefined);
  assert.equal(claimOf(entry), 600n << 20n);
  assert.equal(claim.allow((600n << 20n) + 1n), "size-cap");
});

test("two claimants never get more than there is", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(1), fc.integer({ min: 1, max: 80 })), { minLength: 1, maxLength: 6 }),
      async (asks) => {
        using made = testSpool();
        const entries = [made.entry(1), made.entry(2)];
        using _first = FileLock.try(entries[0]?.lock ?? "");
        using _second = FileLock.try(entries[1]?.lock ?? "");
        const claims = entries.map((entry) => new Reservation(made.spool, entry, limits(100n)));
        await Promise.all(asks.map(async ([who, bytes]) => await claims[who]?.allow(BigInt(bytes))));
        const granted = entries.map(claimOf);
        assert.ok(granted.reduce((a, b) => a + b, 0n) <= 100n, `granted ${granted}`);
      },
    ),
    { numRuns: 25 },
  );
});
