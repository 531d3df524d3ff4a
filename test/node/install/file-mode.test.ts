/** install --mode=file: the kernel's own files, and the way back. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkFileMode } from "../../../src/node/doctor/pattern.ts";
import { DUMP_DIR_APART, isInCache } from "../../../src/node/install/file-mode.ts";
import { type InstallOrder, install } from "../../../src/node/install/install.ts";
import { settingsForFile } from "../../../src/node/install/settings-file.ts";
import { uninstall } from "../../../src/node/install/uninstall.ts";
import { SYSCTL } from "../../../src/node/install/units.ts";
import { patternFor } from "../../../src/node/kernel/core-pattern.ts";
import { type FakeHost, fakeHost, program } from "./fake-host.ts";

const DIR = "/coredump";
const FILES = "/var/coredump/core_%e_%t_%P";
const PIPE = patternFor(`${DIR}/coredump-detector`, "6.18.1");
const SYSTEMD = "|/usr/lib/systemd/systemd-coredump %P";

function put(host: FakeHost, flags: Record<string, string> = {}, order: Partial<InstallOrder> = {}) {
  const from = join(host.root, "src/coredump-detector");
  return install(
    { binDir: DIR, from, patternOnly: false, settings: settingsForFile(flags), ...order },
    host,
    new Date(0),
  );
}
const off = (host: FakeHost) => uninstall({ binDir: DIR, purge: false }, host);
const values = (host: FakeHost) => [host.get("pattern"), host.get("pipeLimit"), host.get("suidDumpable")];
const words = (steps: readonly { text: string }[]) => steps.map(({ text }) => text).join("\n");
const settings = (host: FakeHost) => JSON.parse(host.read(`${DIR}/settings.json`));

function prepared(pattern = SYSTEMD): FakeHost {
  const host = fakeHost({ pattern, systemd: true });
  program(host);
  return host;
}

test("install --mode=file sets the pattern alone, and moves the cache out of the way; uninstall restores", async () => {
  using host = prepared();
  const steps = await put(host, { mode: "file" });
  assert.deepEqual(values(host), [FILES, "0", "0"]);
  assert.deepEqual(settings(host), { mode: "file", "dump-dir": DUMP_DIR_APART });
  assert.match(words(steps), /no core is captured/);
  assert.match(host.read(SYSCTL), /^[^k]*kernel\.core_pattern = \/var\/coredump\/core_%e_%t_%P\n$/);
  await off(host);
  assert.deepEqual(values(host), [SYSTEMD, "0", "0"]);
  assert.ok(!existsSync(join(host.root, DIR)));
});

test("install in file mode, run again or at boot, stays in it and changes nothing", async () => {
  using host = prepared();
  await put(host, { mode: "file" });
  await put(host);
  host.set("pattern", "core"); // the machine was started anew
  await put(host, {}, { patternOnly: true });
  assert.deepEqual(values(host), [FILES, "0", "0"]);
  await off(host);
  assert.equal(host.get("pattern"), SYSTEMD);
});

test("install changes from one mode to the other and back, limits included", async () => {
  using host = prepared();
  await put(host);
  assert.deepEqual(values(host), [PIPE, "64", "2"]);
  await put(host, { mode: "file" });
  assert.deepEqual(values(host), [FILES, "0", "0"]);
  await put(host, { mode: "pipe" });
  assert.deepEqual(values(host), [PIPE, "64", "2"]);
  await off(host);
  assert.deepEqual(values(host), [SYSTEMD, "0", "0"]);
});

test("install --mode=file does not take its own pattern for the one before it, whatever was there", async () => {
  using host = prepared("|/coredump/coredump-detector -P=%P"); // a predecessor's: nobody knows what was before that
  await put(host, { mode: "file" });
  await put(host);
  await off(host);
  assert.equal(host.get("pattern"), "core"); // as the kernel has it when nobody set anything
});

test("uninstall leaves alone what somebody set in place of our file pattern", async () => {
  using host = prepared();
  await put(host, { mode: "file" });
  host.set("pattern", "/cores/%p");
  assert.match(words(await off(host)), /\/cores\/%p is not ours: left alone/);
  assert.equal(host.get("pattern"), "/cores/%p");
});

for (const [on, flags, code] of [
  ["a pattern that is no path", { "file-pattern": "core_%t_%P" }, "PATTERN_REFUSED"],
  ["a pipe", { "file-pattern": "|/bin/sh %t %P" }, "PATTERN_REFUSED"],
  ["a directory", { "file-pattern": "/cores/%t/%P/" }, "PATTERN_REFUSED"],
  ["more than the kernel keeps", { "file-pattern": `/${"c".repeat(130)}_%t_%P` }, "PATTERN_REFUSED"],
  ["one name for all", { "file-pattern": "/cores/core" }, "PATTERN_REFUSED"],
  ["a name that comes again in the same second", { "file-pattern": "/cores/core_%e_%t" }, "PATTERN_REFUSED"],
  ["a name that comes again with the pid", { "file-pattern": "/cores/core_%e_%P" }, "PATTERN_REFUSED"],
  ["a cache that was asked for there", { "dump-dir": "/var/coredump" }, "SETTINGS_INVALID"],
  ["a cache above the files", { "dump-dir": "/var" }, "SETTINGS_INVALID"],
  ["a cache below the files' directory", { "dump-dir": "/var/coredump/cache" }, "SETTINGS_INVALID"],
] as const)
  test(`install --mode=file refuses ${on}, and has changed nothing`, async () => {
    using host = prepared();
    await assert.rejects(put(host, { mode: "file", ...flags }), { code });
    assert.deepEqual(values(host), [SYSTEMD, "0", "0"]);
    assert.ok(!existsSync(join(host.root, DIR)));
  });

for (const [filePattern, dumpDir, want] of [
  [FILES, "/var/coredump", true],
  [FILES, "/var/coredump/", true],
  [FILES, "/var/lib/coredump", false],
  [FILES, "/var/coredump-cache", false],
  ["/cores/%h/core_%t_%P", "/cores/node-1", true],
  ["/core_%t_%P", "/var/coredump", true], // files in the root directory: below it is everything
] as const)
  test(`isInCache() of ${filePattern} and ${dumpDir}: ${want}`, () =>
    assert.equal(isInCache({ mode: "file", filePattern, dumpDir }), want));

test("checkFileMode() says who set another pattern, and that RLIMIT_CORE 0 leaves no core", () => {
  const limits = (soft: string) =>
    `Max core file size        ${soft}                    unlimited            bytes     \n`;
  const levels = (pattern: string, soft: string) =>
    checkFileMode(pattern, FILES, limits(soft)).map(({ level, what }) => `${what} ${level}`);
  assert.deepEqual(levels(FILES, "unlimited"), ["pattern ok"]);
  assert.deepEqual(levels(FILES, "0"), ["pattern ok", "rlimit warning"]);
  assert.deepEqual(levels("core", "unlimited"), ["pattern problem"]);
  assert.deepEqual(levels("", "0"), ["pattern problem"]);
});
