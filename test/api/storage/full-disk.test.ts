/** A full volume: what was answered is there, and what is there can still go. */
import assert from "node:assert/strict";
import { statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SqliteStorage } from "../../../src/api/storage/sqlite/sqlite.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir, tempFileSystem } from "../../support/tmp.ts";

/** @returns the keys */
async function fill(storage: SqliteStorage, lengthBytes: number): Promise<Map<string, bigint>> {
  const made = new Map<string, bigint>();
  for (let at = 0; at < 10_000; at++)
    try {
      made.set(`/${at}`, await storage.create(`/${at}`, "x".repeat(lengthBytes)));
    } catch (error) {
      assert.equal((error as { code?: string }).code, "STORAGE_UNAVAILABLE");
      assert.match((error as Error).message, /the disk is full/);
      return made;
    }
  throw new Error("it never was full");
}

/** What is left on the volume is taken by another. */
function takeTheRest(folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  writeFileSync(join(folder, "ballast"), Buffer.alloc(bavail * bsize));
}

const sizes = [
  { on: "small objects", volume: 2n << 20n, lengthBytes: 500 },
  { on: "objects of some pages", volume: 4n << 20n, lengthBytes: 20_000 },
  { on: "the largest objects", volume: 32n << 20n, lengthBytes: 390_000 },
];
for (const { on, volume, lengthBytes } of sizes)
  test(`SqliteStorage deletes on a volume that is full of ${on}, and takes new ones then`, {
    skip: needs("root"),
  }, async () => {
    using disk = tempFileSystem(volume);
    const path = join(disk.path, "objects.db");
    {
      await using storage = new SqliteStorage(path);
      const made = await fill(storage, lengthBytes);
      assert.ok(made.size > 3);
      takeTheRest(disk.path);
      await storage.ping();
      const [first = "", ...rest] = made.keys();
      // What says that an object is to go is a write, too: a time, beside what is there.
      made.set(first, await storage.update(first, "y".repeat(lengthBytes + 100), made.get(first) ?? 0n));
      for (const key of [first, ...rest.slice(2)]) await storage.delete(key, made.get(key) ?? 0n);
      await storage.ping();
      assert.equal((await storage.list("/")).items.length, 2);
      await storage.create("/again", "x".repeat(lengthBytes));
    }
    await using again = new SqliteStorage(path);
    assert.equal((await again.list("/")).items.length, 3);
  });

test("SqliteStorage on a volume without any room at its start deletes all the same", {
  skip: needs("root"),
}, async () => {
  using disk = tempFileSystem(4n << 20n);
  const path = join(disk.path, "objects.db");
  let made: Map<string, bigint>;
  {
    await using storage = new SqliteStorage(path);
    made = await fill(storage, 20_000);
  }
  takeTheRest(disk.path);
  await using storage = new SqliteStorage(path);
  for (const [key, revision] of made) await storage.delete(key, revision);
  assert.equal((await storage.list("/")).items.length, 0);
});

test("SqliteStorage bounds its history in bytes, and a page and a watch in what they read at once", async () => {
  using dir = tempDir();
  const path = join(dir.path, "objects.db");
  await using storage = new SqliteStorage(path, {
    ms: 3_600_000,
    changes: 10_000n,
    bytes: 4 << 20,
    everyMs: 3_600_000,
  });
  const value = "x".repeat(300_000);
  let revision = await storage.create("/a", value);
  const begun = revision;
  for (let at = 0; at < 60; at++) revision = await storage.update("/a", `${at}${value}`, revision);
  await assert.rejects(storage.list("/", { revision: begun }), { code: "API_GONE" });
  assert.ok(statSync(path).size < 12 << 20, `${statSync(path).size}`);
  for (let at = 0; at < 40; at++) await storage.create(`/b/${at}`, value);
  const page = await storage.list("/b/", { limit: 500 });
  assert.ok(page.items.length < 30 && page.items.length + page.remaining === 40, `${page.items.length}`);
  assert.deepEqual(await storage.usage("/b/"), { count: 40, bytes: 40 * 300_000 + 10 * 4 + 30 * 5 });
});
