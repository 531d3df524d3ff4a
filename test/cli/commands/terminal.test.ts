/** What is different on a terminal: colours, the question, the progress bar, where a core goes. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PROGRAM } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";
import { CORE, RECORDS, record, testCache } from "./records.ts";

const skip = needs("command:script");
const ID = "3f9c2a71b0de";

/** Runs the program on a pseudo-terminal, in `cwd`, and types `answer`. @returns what the terminal showed */
function onTerminal(args: readonly string[], { cwd = "/", answer = "", env = {} } = {}): Promise<string> {
  const words = [process.execPath, "--disable-warning=ExperimentalWarning", PROGRAM, ...args];
  const { NO_COLOR: _, FORCE_COLOR: __, CI: ___, ...clean } = process.env; // Node takes a CI for a terminal without colours
  return new Promise((resolve) => {
    const child = execFile(
      "script",
      ["-qec", words.map((word) => `'${word}'`).join(" "), "/dev/null"],
      { cwd, env: { ...clean, TERM: "xterm-256color", ...env } },
      (_error, stdout) => resolve(stdout.replaceAll("\r\n", "\n")),
    );
    child.stdin?.end(answer);
  });
}

test("list is coloured on a terminal, but not under NO_COLOR", { skip }, async () => {
  using cache = testCache(RECORDS);
  assert.match(await onTerminal(["list", "-d", cache.dir]), /\x1b\[31mRefused\x1b\[39m /);
  assert.doesNotMatch(await onTerminal(["list", "-d", cache.dir], { env: { NO_COLOR: "1" } }), /\x1b/);
});

test("dump without a file makes one with a telling name in the working directory", { skip }, async () => {
  using cache = testCache();
  cache.put(record(ID), CORE);
  const said = await onTerminal(["dump", ID, "-d", cache.dir], { cwd: cache.path("") });
  const name = "nginx-20261121T072103512Z-31605-3f9c2a71b0de.core";
  assert.ok(said.includes(`${name}: `), said);
  assert.deepEqual(readdirSync(cache.path("")).sort(), ["cache", name]);
});

test("dump - refuses to write a core to a terminal", { skip }, async () => {
  using cache = testCache();
  cache.put(record(ID), CORE);
  assert.match(
    await onTerminal(["dump", ID, "-", "-d", cache.dir]),
    /^error: Cannot write a core to a terminal.*\nhint: /,
  );
});

test("verify of a long core shows how far it is, and nothing of that stays", { skip }, async () => {
  using cache = testCache();
  const { id } = cache.put(record(ID));
  const core = join(cache.dir, id, "core");
  writeFileSync(core, "");
  truncateSync(core, 1 << 30);
  const said = await onTerminal(["verify", ID, "-d", cache.dir]);
  assert.match(said, /\r[█░]{30} \d+ % {2}\S+ \S+ of 1 GiB\x1b\[K/);
  assert.match(said, /\r\x1b\[K\x1b\[1mID/);
});

for (const { answer, left } of [
  { answer: "y\n", left: "Deleted" },
  { answer: "n\n", left: "Captured" },
  { answer: "\n", left: "Captured" },
]) {
  test(`delete --all asks, and takes ${JSON.stringify(answer)} for what it is`, { skip }, async () => {
    using cache = testCache();
    const held = cache.put(record(ID), CORE);
    const said = await onTerminal(["delete", "--all", "-d", cache.dir], { answer });
    assert.match(said, /Really delete 1 dump\? \[y\/N\] /);
    assert.equal(cache.stored(held).state, left);
  });
}
