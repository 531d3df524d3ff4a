import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { SharedWatch } from "../../src/api/storage/shared-watch.ts";
import { SqliteStorage } from "../../src/api/storage/sqlite/sqlite.ts";
import type { StorageEvent } from "../../src/api/storage/storage.ts";
import { tempDir } from "../support/tmp.ts";
import { storageContract } from "./storage.ts";

const dir = tempDir();
const sqlite = new SqliteStorage(join(dir.path, "objects.db"));
const shared = new SharedWatch(sqlite, "/registry/");
after(async () => {
  await shared[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

storageContract("SharedWatch", () => ({
  storage: shared,
  compact: async (revision) => sqlite.compact(revision),
}));

/** Counts the watches of the storage itself. */
class Counting extends SqliteStorage {
  watches = 0;

  override watch(prefix: string, afterRevision: bigint, signal: AbortSignal): AsyncGenerator<StorageEvent> {
    this.watches++;
    return super.watch(prefix, afterRevision, signal);
  }
}

test("SharedWatch: many watches are one; who begins before it has one of his own", async () => {
  using folder = tempDir();
  const counting = new Counting(join(folder.path, "objects.db"));
  await using storage = new SharedWatch(counting, "/r/");
  const ending = new AbortController();
  await storage.create("/r/before", "1");
  const { revision } = await storage.list("/r/");
  const first = async (from: bigint) => {
    for await (const event of storage.watch("/r/a/", from, ending.signal)) if (event.type === "put") return event.key;
    return undefined;
  };
  const all = Promise.all(Array.from({ length: 50 }, () => first(revision)));
  await new Promise((resolve) => setImmediate(resolve));
  await storage.create("/r/b/other", "1");
  await storage.create("/r/a/mine", "1");
  assert.deepEqual(new Set(await all), new Set(["/r/a/mine"]));
  assert.equal(counting.watches, 1);
  assert.equal(await first(0n), "/r/a/mine");
  assert.equal(counting.watches, 2);
  ending.abort();
});

test("SharedWatch: one who reads too slowly is left behind, and is told so", async () => {
  using folder = tempDir();
  await using storage = new SharedWatch(new SqliteStorage(join(folder.path, "objects.db")), "/r/");
  const watch = storage
    .watch("/r/", (await storage.list("/r/")).revision, AbortSignal.timeout(60_000))
    [Symbol.asyncIterator]();
  const next = watch.next();
  let revision = await storage.create("/r/a", "0");
  await next; // and nothing more is read
  for (let index = 1; index <= 2100; index++) revision = await storage.update("/r/a", String(index), revision);
  for await (const event of storage.watch("/r/", revision - 1n, AbortSignal.timeout(60_000)))
    if (event.revision >= revision) break;
  await assert.rejects(
    async () => {
      for (;;) await watch.next();
    },
    { code: "API_GONE" },
  );
});

test("SharedWatch remembers no more than some megabytes of large changes", async () => {
  using folder = tempDir();
  const counting = new Counting(join(folder.path, "objects.db"));
  await using storage = new SharedWatch(counting, "/r/");
  const { revision: begun } = await storage.list("/r/");
  const value = "x".repeat(400_000);
  const first = async (from: bigint) => {
    for await (const event of storage.watch("/r/", from, AbortSignal.timeout(60_000)))
      if (event.type === "put") return event.key;
    return undefined;
  };
  const waiting = first(begun);
  for (let at = 0; at < 40; at++) await storage.create(`/r/${at}`, value);
  assert.equal(await waiting, "/r/0");
  await storage.create("/r/last", "1");
  const { revision } = await storage.list("/r/");
  assert.equal(await first(revision - 1n), "/r/last");
  assert.equal(counting.watches, 1);
  await first(begun); // no longer remembered: a watch of its own
  assert.equal(counting.watches, 2);
});
