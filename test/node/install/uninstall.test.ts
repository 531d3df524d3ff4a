import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { beginEntry } from "../../../src/node/cache/begin.ts";
import { install } from "../../../src/node/install/install.ts";
import { uninstall } from "../../../src/node/install/uninstall.ts";
import { record } from "../../cli/commands/records.ts";
import { type FakeHost, type FakeHostOptions, fakeHost, program } from "./fake-host.ts";

const DIR = "/coredump";
const SYSTEMD = "|/usr/lib/systemd/systemd-coredump %P";
const APPORT = "|/usr/share/apport/apport %p";

async function installed(options?: FakeHostOptions): Promise<FakeHost> {
  const host = fakeHost(options);
  const from = program(host);
  await install({ binDir: DIR, from, patternOnly: false, settings: new Map() }, host, new Date(0));
  return host;
}

const off = (host: FakeHost, purge = false) => uninstall({ binDir: DIR, purge }, host);
const values = (host: FakeHost) => [host.get("pattern"), host.get("pipeLimit"), host.get("suidDumpable")];
const words = (steps: readonly { text: string }[]) => steps.map(({ text }) => text).join("\n");

test("uninstall() gives back what was saved, and leaves no file", async () => {
  using host = await installed({ pattern: SYSTEMD, systemd: true });
  const steps = await off(host);
  assert.deepEqual(values(host), [SYSTEMD, "0", "0"]);
  assert.ok(!existsSync(join(host.root, DIR)));
  assert.deepEqual(
    readdirSync(join(host.root, "etc"), { recursive: true, withFileTypes: true }).filter(
      (entry) => !entry.isDirectory(),
    ),
    [],
  );
  assert.match(words(steps), /restored to \|\/usr\/lib\/systemd\/systemd-coredump/);
});

test("uninstall() run again finds nothing to do", async () => {
  using host = await installed({ pattern: SYSTEMD });
  await off(host);
  host.set("pipeLimit", "64"); // somebody's own choice by now
  const steps = await off(host);
  assert.deepEqual(values(host), [SYSTEMD, "64", "0"]);
  assert.match(words(steps), /not ours: left alone.*nothing of ours in \/coredump/s);
});

test("uninstall() leaves alone what another handler took over, limits included", async () => {
  using host = await installed();
  host.set("pattern", APPORT);
  const steps = await off(host);
  assert.deepEqual(values(host), [APPORT, "64", "2"]);
  assert.deepEqual(
    [steps[0]?.level, steps[0]?.hint],
    ["warning", "Before us they were: core_pattern core, core_pipe_limit 0, suid_dumpable 0"],
  );
  assert.ok(!existsSync(join(host.root, DIR)));
});

test("uninstall() gives the limits back where a file pattern was set in between", async () => {
  using host = await installed({ pattern: SYSTEMD });
  host.set("pattern", "core");
  await off(host);
  assert.deepEqual(values(host), ["core", "0", "0"]); // suid_dumpable 2 with a relative file is an attack
});

test("uninstall() restores only limits that are still ours", async () => {
  using host = await installed();
  host.set("pipeLimit", "100");
  const steps = await off(host);
  assert.deepEqual(values(host), ["core", "100", "0"]);
  assert.match(words(steps), /core_pipe_limit 100 \(not ours: left alone\), suid_dumpable 2 → 0/);
});

test("uninstall() with nothing saved restores the kernel's defaults", async () => {
  using host = await installed({ pattern: "|/coredump/coredump-detector -P=%P" });
  host.set("pipeLimit", "64");
  await off(host);
  assert.deepEqual(values(host), ["core", "0", "0"]);
});

test("uninstall() does not touch the pattern of an installation in another directory", async () => {
  using host = await installed();
  host.set("pattern", "|/opt/cd/coredump-detector -P=%P");
  await off(host);
  assert.equal(host.get("pattern"), "|/opt/cd/coredump-detector -P=%P");
});

test("uninstall() leaves files that are not ours where they are", async () => {
  using host = await installed();
  host.write(`${DIR}/config`, "a kubeconfig");
  await off(host);
  assert.deepEqual(readdirSync(join(host.root, DIR)), ["config"]);
});

test("uninstall() takes away what an install that was killed left behind", async () => {
  using host = await installed();
  for (const name of [".coredump-detector.new", "settings.json.part", "lib/.liba.so.old"])
    host.write(`${DIR}/${name}`, "half");
  await off(host);
  assert.ok(!existsSync(join(host.root, DIR)));
});

test("uninstall() survives a directory without a cache, and one that is none", async () => {
  using host = await installed();
  mkdirSync(join(host.root, "var/coredump"), { recursive: true, mode: 0o700 });
  host.write("/var/coredump/stranger", "x");
  assert.match(words(await off(host)), /dumps|none in \/var\/coredump/);
  await off(host, true);
  assert.deepEqual(readdirSync(join(host.root, "var/coredump")), ["stranger"]); // purge takes dumps, not strangers
});

/** A host with a dump in its cache whose core was captured, and one that was refused. */
async function withDumps(): Promise<FakeHost> {
  const host = await installed();
  const dir = join(host.root, "var/coredump");
  for (const dump of [record("0123456789ab"), record("ba9876543210", { state: "Refused", reason: "TooBig" })]) {
    using _open = beginEntry(dir, dump);
  }
  return host;
}

test("uninstall() keeps and names the dumps that are nowhere else", async () => {
  using host = await withDumps();
  const steps = await off(host);
  assert.match(words(steps), /1 dump not stored anywhere else stays in \/var\/coredump:/);
  assert.match(words(steps), /\/core {3}0123456789ab /);
  assert.doesNotMatch(words(steps), /ba9876543210/); // refused: no core of it was ever held
  assert.equal(readdirSync(join(host.root, "var/coredump")).length, 2);
});

test("uninstall() --purge removes the dumps and their directory", async () => {
  using host = await withDumps();
  assert.match(words(await off(host, true)), /2 dumps purged from \/var\/coredump/);
  assert.ok(!existsSync(join(host.root, "var/coredump")));
});

test("uninstall() --purge leaves a dump whose handler is at it, and says so", async () => {
  using host = await installed();
  using _open = beginEntry(join(host.root, "var/coredump"), record("0123456789ab", { state: "Capturing" }));
  const steps = await off(host, true);
  assert.match(words(steps), /0123456789ab .* still being captured/);
  assert.equal(steps.at(-1)?.level, "warning");
});
