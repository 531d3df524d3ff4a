import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Spool } from "../../../src/node/cache/spool.ts";
import { tempDir } from "../../support/tmp.ts";
import { idOf } from "./caches.ts";

const isRoot = process.getuid?.() === 0;

test("Spool.open() makes the directory, its own and nobody else's", () => {
  using dir = tempDir();
  const path = join(dir.path, "a/b");
  assert.equal(Spool.open(path, true).dir, path);
  assert.equal(statSync(path).mode & 0o7777, 0o700);
  assert.equal(Spool.open(path, true).dir, path); // again
});

const lax: readonly { on: string; names: readonly string[]; create?: boolean; mode: number }[] = [
  { on: "an empty directory, as the kubelet makes it", names: [], mode: 0o700 },
  { on: "a cache", names: [idOf(1), ".lock", ".slots", ".agent.sock"], mode: 0o700 },
  { on: "a directory in which others keep things", names: [idOf(1), "theirs"], mode: 0o755 },
  { on: "a directory that is only looked into", names: [], create: false, mode: 0o755 },
];
for (const { on, names, create = true, mode } of lax) {
  test(`Spool.open() of mode 0755 leaves ${on} ${mode.toString(8)}`, () => {
    using dir = tempDir();
    const path = join(dir.path, "cache");
    mkdirSync(path);
    chmodSync(path, 0o755);
    for (const name of names) mkdirSync(join(path, name));
    Spool.open(path, create);
    assert.equal(statSync(path).mode & 0o7777, mode);
  });
}

const refused: readonly { on: string; make: (path: string) => void; code: string; skip?: boolean }[] = [
  { on: "nothing there", make: () => {}, code: "CACHE_UNUSABLE" },
  { on: "a file", make: (path) => writeFileSync(path, ""), code: "CACHE_UNUSABLE" },
  { on: "a link to a directory", make: (path) => symlinkSync("/", path), code: "CACHE_UNUSABLE" },
  { on: "a path through a file", make: (path) => writeFileSync(path.slice(0, -1), ""), code: "CACHE_UNUSABLE" },
  {
    on: "a directory that the group can write",
    make: (path) => {
      mkdirSync(path);
      chmodSync(path, 0o770);
    },
    code: "CACHE_UNUSABLE",
  },
  {
    on: "a directory that everybody can write",
    make: (path) => {
      mkdirSync(path);
      chmodSync(path, 0o1777);
    },
    code: "CACHE_UNUSABLE",
  },
  {
    on: "somebody else's directory",
    make: (path) => {
      mkdirSync(path);
      chownSync(path, 12345, 0);
    },
    code: "CACHE_UNUSABLE",
    skip: !isRoot,
  },
];
for (const { on, make, code, skip } of refused) {
  test(`Spool.open() refuses ${on}, and says what to do`, { skip: skip ? "needs root" : false }, () => {
    using dir = tempDir();
    const path = join(dir.path, "cache");
    make(path);
    assert.throws(
      () => Spool.open(path),
      (error: { code?: string; hint?: string }) => error.code === code && (error.hint ?? "") !== "",
    );
  });
}

test("entries() are the dumps' directories, newest first, and nothing else", () => {
  using dir = tempDir();
  const [older, newer] = [idOf(1), idOf(2)];
  for (const name of [
    older,
    newer,
    ".slots",
    "lost+found",
    `${older}.gone`,
    older.toUpperCase().replace("019E", "01AE"),
  ])
    mkdirSync(join(dir.path, name));
  writeFileSync(join(dir.path, idOf(3)), "a file");
  symlinkSync(older, join(dir.path, idOf(4)));
  assert.deepEqual(
    Spool.open(dir.path)
      .entries()
      .map(({ id }) => id),
    [newer, older],
  );
});

test("lock() is one holder's, and whoever waits goes on without it", async () => {
  using dir = tempDir();
  const spool = Spool.open(dir.path);
  {
    using held = await spool.lock(0);
    assert.ok(held);
    assert.equal(await spool.lock(20), undefined);
  }
  using again = await spool.lock(0);
  assert.ok(again);
});
