/** What is read on a node has a bound, also where root wrote it: a file that grew must not take the handler with it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { loadSettings } from "../../src/config/settings.ts";
import { newDumpId } from "../../src/domain/id.ts";
import { recordOrNot } from "../../src/node/cache/record.ts";
import { Spool } from "../../src/node/cache/spool.ts";
import { readStateFile } from "../../src/node/identity/state-file.ts";
import { atMost } from "../../src/roles/fixture.ts";
import { readSmall, SMALL_FILE_BYTES } from "../../src/system/small-file.ts";
import { tempDir } from "../support/tmp.ts";

/** Longer than there is memory; holds nothing. */
const HUGE_BYTES = 2 ** 40;

function hugeFile(path: string): string {
  writeFileSync(path, "{}");
  truncateSync(path, HUGE_BYTES);
  return path;
}

const cases: readonly { on: string; make: (path: string) => unknown; code: string }[] = [
  { on: "one byte too much", make: (path) => writeFileSync(path, "12345"), code: "EFBIG" },
  { on: "a hole of a TiB", make: hugeFile, code: "EFBIG" },
  { on: "a link", make: (path) => symlinkSync("/etc/hostname", path), code: "ELOOP" },
  { on: "a pipe that nobody writes", make: (path) => execFileSync("mkfifo", [path]), code: "EINVAL" },
  { on: "a directory", make: (path) => mkdirSync(path), code: "EINVAL" },
  { on: "nothing", make: () => undefined, code: "ENOENT" },
];
for (const { on, make, code } of cases) {
  test(`readSmall() refuses ${on}`, () => {
    using dir = tempDir();
    const path = join(dir.path, "file");
    make(path);
    assert.throws(() => readSmall(path, 4), { code });
  });
}

test("readSmall() reads what is as long as it may be", () => {
  using dir = tempDir();
  writeFileSync(join(dir.path, "file"), "1234");
  assert.equal(readSmall(join(dir.path, "file"), 4).toString(), "1234");
});

test("a record that is longer than any of ours is left alone", () => {
  using dir = tempDir();
  const entry = Spool.open(dir.path).entry(newDumpId(0));
  mkdirSync(entry.dir, { recursive: true });
  hugeFile(entry.record);
  assert.equal(recordOrNot(entry), "later");
});

test("settings that are longer than any of ours mean defaults and a warning", () => {
  using dir = tempDir();
  const problems: string[] = [];
  const path = join(dir.path, "settings.json");
  writeFileSync(path, JSON.stringify({ "dump-dir": "/elsewhere", filler: "x".repeat(64 << 10) }), { mode: 0o600 });
  const settings = loadSettings(path, new Map(), (problem) => problems.push(problem));
  assert.equal(settings.dumpDir, "/var/coredump");
  assert.match(problems.join(), /settings\.json ignored: longer than 65536 bytes/);
});

test("a run-time's state file that is too large is named", () => {
  using dir = tempDir();
  const path = hugeFile(join(dir.path, "config.json"));
  assert.throws(() => readStateFile(path), {
    code: "RUNTIME_ANSWER_INVALID",
    message: `Cannot read ${path}: it is larger than ${SMALL_FILE_BYTES} bytes`,
  });
});

test("a fixture's core that unpacks to more than it may ends there", async () => {
  const chunks = Readable.from([Buffer.alloc(600), Buffer.alloc(400), Buffer.alloc(1)]);
  let bytes = 0;
  await assert.rejects(
    async () => {
      for await (const chunk of atMost(1000)(chunks)) bytes += chunk.length;
    },
    { code: "CORE_UNREADABLE" },
  );
  assert.equal(bytes, 1000);
});
