/** SQLite's bad days: what the contract says of durability, and what an operator is told. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SqliteStorage } from "../../../../src/api/storage/sqlite/sqlite.ts";
import type { DumpError } from "../../../../src/domain/failures.ts";
import { watching } from "../../../contract/storage.ts";
import { FOREVER } from "../../../contract/uploads.ts";
import { ROOT } from "../../../support/paths.ts";
import { needs } from "../../../support/set-up.ts";
import { tempDir, tempFileSystem } from "../../../support/tmp.ts";

const unavailable = (words: RegExp) => (error: DumpError) => {
  assert.equal(error.code, "STORAGE_UNAVAILABLE");
  assert.match(error.message, words);
  assert.notEqual(error.hint, undefined);
  return true;
};

test("SqliteStorage has after a restart what it had, and counts on", async () => {
  using dir = tempDir();
  const path = join(dir.path, "below/objects.db");
  const first = new SqliteStorage(path);
  const created = await first.create("/a", "1");
  const deleted = await first.delete("/a", created);
  await first[Symbol.asyncDispose]();
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await using second = new SqliteStorage(path);
  await using events = watching(second, "/", created);
  assert.deepEqual(
    (await events.take(1)).map(({ type, value }) => [type, value]),
    [["delete", "1"]],
  );
  assert.ok((await second.create("/a", "2")) > deleted);
});

test("SqliteStorage is closed for those who wait, too", async () => {
  using dir = tempDir();
  const storage = new SqliteStorage(join(dir.path, "objects.db"));
  const waiting = assert.rejects(async () => {
    for await (const _ of storage.watch("/", 1n, FOREVER));
  }, /it is closed/);
  await sleep(20);
  await storage[Symbol.asyncDispose]();
  await waiting;
  await assert.rejects(storage.get("/a"), { code: "STORAGE_UNAVAILABLE", message: /it is closed/ });
});

test("SqliteStorage has its file for itself", async () => {
  using dir = tempDir();
  const path = join(dir.path, "objects.db");
  const first = new SqliteStorage(path);
  assert.throws(() => new SqliteStorage(path), unavailable(/another process has it open/));
  await first.create("/a", "1");
  await first[Symbol.asyncDispose]();
  await using second = new SqliteStorage(path);
  assert.equal((await second.get("/a"))?.value, "1");
});

const FOREIGN = [
  { on: "no database", content: Buffer.alloc(9000, "x"), words: /it is not a SQLite file/ },
  { on: "a database of another program", content: otherDatabase(), words: /it is another program's/ },
];
for (const { on, content, words } of FOREIGN) {
  test(`SqliteStorage leaves ${on} alone`, () => {
    using dir = tempDir();
    const path = join(dir.path, "objects.db");
    writeFileSync(path, content);
    assert.throws(() => new SqliteStorage(path), { name: "DumpError", message: words });
    assert.ok(readFileSync(path).subarray(100).equals(content.subarray(100)));
  });
}

test("SqliteStorage forgets what is older than it was told, and more than it was told", async () => {
  using dir = tempDir();
  await using storage = new SqliteStorage(join(dir.path, "objects.db"), {
    ms: 3_600_000,
    changes: 10n,
    bytes: 1 << 20,
    everyMs: 0,
  });
  const revisions: bigint[] = [];
  for (let at = 0; at < 30; at++) revisions.push(await storage.create(`/${at}`, "x"));
  const last = revisions.at(-1) ?? 0n;
  assert.equal((await storage.list("/", { revision: last - 10n })).items.length, 20);
  await assert.rejects(storage.list("/", { revision: last - 11n }), { code: "API_GONE" });
  assert.equal((await storage.list("/")).items.length, 30);

  await using short = new SqliteStorage(join(dir.path, "short.db"), {
    ms: 20,
    changes: 1000n,
    bytes: 1 << 20,
    everyMs: 0,
  });
  const first = await short.create("/a", "1");
  await sleep(40);
  await short.update("/a", "2", first);
  await assert.rejects(short.list("/", { revision: first - 1n }), { code: "API_GONE" });
});

test("SqliteStorage on a full disk refuses whole writes, reads, and goes on when there is room", {
  skip: needs("root"),
}, async () => {
  using disk = tempFileSystem(1n << 20n);
  const ballast = join(disk.path, "ballast");
  writeFileSync(ballast, Buffer.alloc(200_000));
  await using storage = new SqliteStorage(join(disk.path, "objects.db"));
  const answered: string[] = [];
  await assert.rejects(
    async () => {
      for (let at = 0; ; at++) {
        await storage.create(`/${at}`, "x".repeat(20_000));
        answered.push(`/${at}`);
      }
    },
    unavailable(/the disk is full/),
  );
  const { items } = await storage.list("/");
  assert.deepEqual(items.map(({ key }) => key).sort(), answered.sort());
  rmSync(ballast);
  await storage.create("/more", "x".repeat(20_000));
});

test("SqliteStorage has all that was answered when its process is killed, and nothing half", async () => {
  using dir = tempDir();
  const path = join(dir.path, "objects.db");
  const answered = new Map<string, { revision: bigint; at: string }>();
  for (const lifeMs of [300, 350, 400]) {
    const child = spawn(join(ROOT, "bin/node"), [join(import.meta.dirname, "writer.ts"), path], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (said += text));
    await once(child.stdout, "data");
    await sleep(lifeMs);
    child.kill("SIGKILL");
    await once(child, "close");
    for (const line of said.split("\n").slice(0, -1)) {
      const [revision = "", key = "", at = ""] = line.split(" ");
      answered.set(key, { revision: BigInt(revision), at });
    }
    await using storage = new SqliteStorage(path);
    for (const { key, value, revision } of (await storage.list("/objects/")).items) {
      const told = answered.get(key);
      assert.ok(!told || revision >= told.revision, "no older than what was answered");
      assert.equal(new Set(value.trim().split(" ")).size, 1, "one write's value");
      if (told?.revision === revision) assert.ok(value.startsWith(`${told.at} `));
    }
  }
  assert.ok(answered.size > 0);
});

test("SqliteStorage has whole writes, in order, whatever a power cut left of the log", async () => {
  using dir = tempDir();
  const path = join(dir.path, "objects.db");
  await using storage = new SqliteStorage(path);
  let revision = await storage.create("/counter", "0");
  for (let at = 1; at <= 20; at++) revision = await storage.update("/counter", `${at}`, revision);
  const [logBytes, seen] = [statSync(`${path}-wal`).size, new Set<string>()];
  for (let bytes = 0; bytes <= logBytes; bytes += 5003) {
    for (const harm of ["cut", "torn"] as const) {
      const copy = join(dir.path, `copy-${bytes}-${harm}.db`);
      copyFileSync(path, copy);
      copyFileSync(`${path}-wal`, `${copy}-wal`);
      if (harm === "cut") truncateSync(`${copy}-wal`, bytes);
      else tear(`${copy}-wal`, bytes);
      await using after = new SqliteStorage(copy);
      const found = await after.get("/counter");
      seen.add(found?.value ?? "none");
      if (!found) continue;
      await using events = watching(after, "/", found.revision - 1n);
      assert.deepEqual(
        (await events.take(1)).map(({ value }) => value),
        [found.value],
        "the history fits to it",
      );
      assert.ok((await after.update("/counter", "on", found.revision)) > found.revision);
    }
  }
  assert.ok(seen.has("none") && seen.has("20") && seen.size > 10, [...seen].join(" "));
});

/** A block that the disk did not write any more. */
function tear(path: string, fromByte: number): void {
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0, fromByte, fromByte + 512));
}

function otherDatabase(): Buffer {
  using dir = tempDir();
  const path = join(dir.path, "other.db");
  const other = new DatabaseSync(path);
  other.exec("CREATE TABLE songs (name TEXT)");
  other.close();
  return readFileSync(path);
}
