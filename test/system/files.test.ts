import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { flush, publishSync, replaceSync } from "../../src/system/durable.ts";
import { readAt, writeAllSync, writeAt } from "../../src/system/io.ts";
import { logLine } from "../../src/system/log.ts";
import { tempDir } from "../support/tmp.ts";

for (const put of [replaceSync, publishSync]) {
  test(`${put.name}() puts a whole file in the place of another, and leaves nothing beside it`, () => {
    using dir = tempDir();
    const path = join(dir.path, "x");
    put(path, Buffer.from("a longer one"));
    put(path, Buffer.from("short"));
    assert.equal(readFileSync(path, "utf8"), "short");
    assert.deepEqual([readdirSync(dir.path), statSync(path).mode & 0o777], [["x"], 0o600]);
  });

  test(`${put.name}() follows no link that lies in its way`, () => {
    using dir = tempDir();
    const [path, victim] = [join(dir.path, "x"), join(dir.path, "victim")];
    writeFileSync(victim, "mine");
    symlinkSync(victim, `${path}.part`);
    assert.throws(() => put(path, Buffer.from("yours")), { code: "ELOOP" });
    assert.deepEqual([readFileSync(victim, "utf8"), existsSync(path)], ["mine", false]);
  });
}

test("flush() reaches file and directory, and says what it cannot reach", async () => {
  using dir = tempDir();
  writeFileSync(join(dir.path, "x"), "");
  await flush(dir.path, [join(dir.path, "x")]);
  await assert.rejects(flush(dir.path, [join(dir.path, "y")]), { code: "ENOENT" });
  await assert.rejects(flush(join(dir.path, "x"), []), { code: "ENOTDIR" });
});

test("writeAt() and readAt() meet beyond what a number of 32 bits reaches", async () => {
  using dir = tempDir();
  const fd = openSync(join(dir.path, "x"), "wx+");
  const at = 5n << 32n;
  await writeAt(fd, Buffer.from("abcdef"), 1, 4, at);
  const read = Buffer.alloc(10);
  assert.equal(await readAt(fd, read, 10, at), 3);
  assert.equal(read.toString("latin1", 0, 3), "bcd");
  assert.equal(await readAt(fd, read, 10, at + 3n), 0);
  writeAllSync(fd, Buffer.from("xyz"));
  closeSync(fd);
  await assert.rejects(readAt(fd, read, 1, 0n), { code: "EBADF" });
});

test("logLine() adds lines that are lines, for its owner alone", () => {
  using dir = tempDir();
  logLine(undefined, "info", "nobody asked");
  for (const text of ["one\ntwo", "\x1b[31mred"]) logLine(dir.path, "warn", text);
  const path = join(dir.path, "coredump-detector.log");
  const lines = readFileSync(path, "utf8").split("\n");
  assert.deepEqual(
    lines.map((line) => line.slice(25)),
    ["warn one\\ntwo", "warn \\x1b[31mred", ""],
  );
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("logLine() writes through no link, waits for no pipe, and fails in silence", () => {
  for (const obstacle of ["link", "pipe", "directory", "nothing"]) {
    using dir = tempDir();
    const [path, victim] = [join(dir.path, "coredump-detector.log"), join(dir.path, "victim")];
    writeFileSync(victim, "");
    if (obstacle === "link") symlinkSync(victim, path);
    if (obstacle === "pipe") execFileSync("mkfifo", [path]);
    if (obstacle === "directory") mkdirSync(path);
    logLine(obstacle === "nothing" ? join(dir.path, "nowhere") : dir.path, "info", "text");
    assert.equal(readFileSync(victim, "utf8"), "");
  }
});
