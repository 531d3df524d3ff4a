import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assertGoodPlace } from "../../../src/node/install/handler.ts";
import { placesIn } from "../../../src/node/install/host.ts";
import { type InstallOrder, install } from "../../../src/node/install/install.ts";
import { settingsForFile } from "../../../src/node/install/settings-file.ts";
import { SYSCTL, TMPFILES, UNIT, unitFiles } from "../../../src/node/install/units.ts";
import { patternFor } from "../../../src/node/kernel/core-pattern.ts";
import { type FakeHost, fakeHost, program } from "./fake-host.ts";

const DIR = "/coredump";
const PATTERN = patternFor(`${DIR}/coredump-detector`, "6.18.1");
const SYSTEMD = "|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h";

const order = (
  host: FakeHost,
  change: Partial<InstallOrder> & { flags?: Record<string, string> } = {},
): InstallOrder => ({
  binDir: DIR,
  from: join(host.root, "src/coredump-detector"),
  patternOnly: false,
  settings: settingsForFile(change.flags ?? {}),
  ...change,
});

const put = (host: FakeHost, change?: Parameters<typeof order>[1]) => install(order(host, change), host, new Date(0));
const inBin = (host: FakeHost, name: string) => join(host.root, DIR, name);
const state = (host: FakeHost) => JSON.parse(host.read(`${DIR}/install-state.json`));

test("install() puts the executable and its libraries down, and sets limit, pattern and suid_dumpable", async () => {
  using host = fakeHost({ pattern: SYSTEMD });
  program(host);
  const steps = await put(host);
  assert.equal(statSync(inBin(host, "coredump-detector")).mode & 0o7777, 0o755);
  assert.equal(host.read(`${DIR}/lib/liba.so`), "liba.so of 1.0.0");
  assert.deepEqual([host.get("pattern"), host.get("pipeLimit"), host.get("suidDumpable")], [PATTERN, "64", "2"]);
  assert.deepEqual(state(host), {
    formerPattern: SYSTEMD,
    formerPipeLimit: 0,
    formerSuidDumpable: 0,
    savedAt: "1970-01-01T00:00:00.000Z",
  });
  const text = steps.map((step) => step.text).join("\n");
  assert.match(text, /1\.0\.0 \(starts here in \d+ ms\)/);
  assert.match(text, /was: \|\/usr\/lib\/systemd\/systemd-coredump .* \(saved; host crashes are passed on to it\)/);
  assert.match(text, /core_pipe_limit 0 → 64, suid_dumpable 0 → 2/);
});

test("install() does not say that host crashes are passed on where the settings keep them", async () => {
  using host = fakeHost({ pattern: SYSTEMD });
  program(host);
  const steps = await put(host, { flags: { host: "keep" } });
  assert.match(steps.map((step) => step.text).join("\n"), /\(saved\)/);
});

test("install() run again changes nothing, and says so", async () => {
  using host = fakeHost({ systemd: true });
  program(host);
  await put(host);
  const before = statSync(inBin(host, "coredump-detector")).ino;
  host.ran.length = 0;
  const steps = await put(host);
  assert.equal(statSync(inBin(host, "coredump-detector")).ino, before);
  assert.deepEqual(
    steps.map(({ text }) => text.endsWith("unchanged") || text.endsWith("unchanged)")),
    [true, true, true, true],
  );
  assert.deepEqual(host.ran, []);
});

test("install() of a newer build replaces file by file, and does not save our own pattern as the original", async () => {
  using host = fakeHost({ pattern: SYSTEMD });
  program(host, "1.0.0", ["liba.so", "libold.so"]);
  await put(host);
  const running = statSync(inBin(host, "coredump-detector")).ino;
  host.set("pattern", "|/coredump/coredump-detector -P=%P -p=%p"); // as an older version wrote it
  program(host, "2.0.0", ["liba.so", "libnew.so"]);
  const steps = await put(host);
  assert.notEqual(statSync(inBin(host, "coredump-detector")).ino, running); // renamed over, never written to
  assert.equal(state(host).formerPattern, SYSTEMD);
  assert.equal(host.get("pattern"), PATTERN);
  assert.match(steps.map(({ text }) => text).join("\n"), /2\.0\.0 .*was: an older one of ours/s);
  assert.ok(!existsSync(inBin(host, "lib/libold.so"))); // a library of another build would be loaded in place of the host's
  assert.equal(host.read(`${DIR}/lib/liba.so`), "liba.so of 2.0.0");
  assert.ok(!existsSync(inBin(host, "lib/.liba.so.old")));
});

test("install() over a predecessor's pattern saves no original, because nobody knows one", async () => {
  using host = fakeHost({
    pattern: "|/coredump/coredump-detector -P=%P -p=%p -e=%e -t=%t -c=/coredump/config --log_dir=/coredump/",
  });
  program(host);
  await put(host);
  assert.ok(!existsSync(inBin(host, "install-state.json")));
  assert.equal(host.get("pattern"), PATTERN);
});

test("install() into another directory takes the saved original along", async () => {
  using host = fakeHost({ pattern: SYSTEMD });
  program(host);
  await put(host);
  await put(host, { binDir: "/opt/cd" });
  assert.equal(JSON.parse(host.read("/opt/cd/install-state.json")).formerPattern, SYSTEMD);
});

test("install() keeps what was saved first when somebody else took over in between, and says so", async () => {
  using host = fakeHost({ pattern: SYSTEMD });
  program(host);
  await put(host);
  host.set("pattern", "|/usr/share/apport/apport %p");
  const steps = await put(host);
  assert.equal(state(host).formerPattern, SYSTEMD);
  assert.match(steps.map(({ text }) => text).join("\n"), /apport .*not saved: uninstall restores the one before that/);
});

test("install() leaves the old build in place when the new one does not start here", async () => {
  using host = fakeHost();
  program(host, "1.0.0");
  await put(host);
  const from = program(host, "2.0.0");
  writeFileSync(from, "#!/bin/sh\necho 'libatomic.so.1: cannot open shared object file' >&2; exit 127\n");
  await assert.rejects(put(host), { message: /Cannot start .*: libatomic\.so\.1: cannot open shared object file/ });
  assert.match(host.read(`${DIR}/coredump-detector`), /1\.0\.0/);
  assert.equal(host.read(`${DIR}/lib/liba.so`), "liba.so of 1.0.0");
  assert.deepEqual(existsSync(inBin(host, ".coredump-detector.new")), false);
});

test("install() sets no pattern when the files could not be put down", async () => {
  using host = fakeHost();
  await assert.rejects(put(host), { code: "USAGE", message: /no such file/ });
  program(host);
  mkdirSync(inBin(host, "coredump-detector"), { recursive: true }); // in the way of the rename
  await assert.rejects(put(host), { code: "NOT_PERMITTED" });
  assert.deepEqual([host.get("pattern"), host.get("pipeLimit"), host.get("suidDumpable")], ["core", "0", "0"]);
});

test("install() does not lower a larger core_pipe_limit, and raises a smaller one", async () => {
  using host = fakeHost();
  program(host);
  host.set("pipeLimit", "100");
  await put(host);
  assert.equal(host.get("pipeLimit"), "100");
  host.set("pipeLimit", "16");
  await put(host);
  assert.equal(host.get("pipeLimit"), "64");
});

test("install() merges settings into settings.json, and an empty value takes one away", async () => {
  using host = fakeHost();
  program(host);
  await put(host, { flags: { "max-dumps": "20", "cache-size": "4Gi", environ: "true", "dump-dir": "/srv/cores" } });
  await put(host, { flags: { "cache-size": "", host: "keep" } });
  assert.deepEqual(JSON.parse(host.read(`${DIR}/settings.json`)), {
    "max-dumps": 20,
    environ: true,
    "dump-dir": "/srv/cores",
    host: "keep",
  });
  assert.equal(statSync(inBin(host, "settings.json")).mode & 0o7777, 0o644);
});

test("install() with all settings takes away what is not among them any more, and says so", async () => {
  using host = fakeHost();
  program(host);
  const release = (flags: Record<string, string>) => put(host, { flags, settingsAreAll: true });
  await release({ "dump-dir": "/srv/cores", "log-lines": "300" });
  const upgraded = await release({ "dump-dir": "/srv/cores" }); // without it, as after an upgrade
  assert.deepEqual(JSON.parse(host.read(`${DIR}/settings.json`)), { "dump-dir": "/srv/cores" });
  const told = upgraded.filter(({ what }) => what === "settings");
  assert.match(told.map(({ level, text }) => `${level}: ${text}`).join(), /^warning: log-lines=300 taken away/);
  host.write(`${DIR}/settings.json`, '{ "dump-dir": "/srv/cores", "host": "keep", "by-hand": [1] }');
  const again = await release({ "dump-dir": "/srv/cores" });
  assert.match(again.map(({ text }) => text).join(), /host=keep, by-hand=… taken away/);
  assert.deepEqual(JSON.parse(host.read(`${DIR}/settings.json`)), { "dump-dir": "/srv/cores" });
  host.write(`${DIR}/settings.json`, "{ broken");
  await release({ "dump-dir": "/srv/cores" });
  assert.deepEqual(JSON.parse(host.read(`${DIR}/settings.json`)), { "dump-dir": "/srv/cores" });
  assert.deepEqual(
    (await release({ "dump-dir": "/srv/cores" })).filter(({ what }) => what === "settings"),
    [],
  );
});

const badFlags = [
  { flags: { "max-dumps": "many" }, message: /--max-dumps=many: not a whole number/ },
  { flags: { "dump-dir": "cores" }, message: /--dump-dir=cores: not an absolute path/ },
  { flags: { "dump-dir": "/cores\nd /etc" }, message: /not an absolute path/ }, // a line of its own in tmpfiles.d
];
for (const { flags, message } of badFlags) {
  test(`settingsForFile() refuses ${JSON.stringify(flags)}`, () => {
    assert.throws(() => settingsForFile(flags), { code: "USAGE", message });
  });
}

test("install() does not overwrite a settings.json that it cannot understand", async () => {
  using host = fakeHost();
  program(host);
  host.write(`${DIR}/settings.json`, "{ broken");
  await assert.rejects(put(host, { flags: { host: "keep" } }), { code: "SETTINGS_INVALID" });
  assert.equal(host.read(`${DIR}/settings.json`), "{ broken");
  const steps = await put(host); // nothing to change in it: only a warning
  assert.ok(steps.some(({ level, what }) => level === "warning" && what === "settings"));
});

test("install() refuses a place that others can write, noexec mounts and impossible paths before anything changes", async () => {
  using host = fakeHost();
  program(host);
  mkdirSync(join(host.root, "open"));
  chmodSync(join(host.root, "open"), 0o1777);
  await assert.rejects(put(host, { binDir: "/open/cd" }), {
    code: "NOT_PERMITTED",
    message: /\/open can be written by others/,
  });
  await assert.rejects(put(host, { binDir: "/my dir" }), { code: "PATTERN_REFUSED" });
  const mounts = `22 1 8:1 / / rw,noexec - ext4 /dev/sda1 rw\n`;
  assert.throws(() => assertGoodPlace(placesIn(DIR), host, mounts), {
    code: "NOT_PERMITTED",
    message: /mounted noexec/,
  });
  assert.ok(!existsSync(join(host.root, DIR)));
  assert.equal(host.get("pattern"), "core");
});

test("install() --pattern-only sets the kernel's values alone, and refuses to point to a missing file", async () => {
  using host = fakeHost();
  await assert.rejects(put(host, { patternOnly: true }), { message: /coredump-detector is not there/ });
  assert.equal(host.get("pattern"), "core");
  program(host);
  await put(host);
  host.set("pattern", "core");
  host.set("pipeLimit", "0");
  await put(host, { patternOnly: true });
  assert.deepEqual([host.get("pattern"), host.get("pipeLimit")], [PATTERN, "64"]);
});

test("install() on a host with systemd writes and enables the unit; without, says what that means", async () => {
  using host = fakeHost({ systemd: true });
  program(host);
  await put(host, { flags: { "dump-dir": "/srv/my 100% cores" } });
  assert.equal(
    readlinkSync(join(host.root, "/etc/systemd/system/multi-user.target.wants/coredump-detector.service")),
    UNIT,
  );
  assert.match(host.read(SYSCTL), new RegExp(`^kernel.core_pattern = ${PATTERN.replaceAll(/[|.]/g, "\\$&")}$`, "m"));
  assert.match(host.read(TMPFILES), /^d "\/srv\/my 100%% cores" 0700 root root -$/m);
  assert.match(
    host.read(UNIT),
    /^ExecStart=\/coredump\/coredump-detector install --pattern-only --bin-dir \/coredump$/m,
  );

  using plain = fakeHost();
  program(plain);
  const boot = (await put(plain)).find(({ what }) => what === "boot");
  assert.deepEqual(
    [boot?.level, boot?.hint],
    ["warning", "Run at boot: /coredump/coredump-detector install --pattern-only --bin-dir /coredump"],
  );
});

test("systemd/ holds the files that install writes (UPDATE=1 writes them there)", () => {
  const folder = join(import.meta.dirname, "../../../systemd");
  const files = unitFiles(placesIn(DIR), PATTERN, "/var/coredump");
  for (const [path, text] of Object.entries(files)) {
    const copy = join(folder, path.replace("/etc/systemd/system/", "").replace("/etc/", ""));
    if (process.env["UPDATE"] === "1") {
      mkdirSync(join(copy, ".."), { recursive: true });
      writeFileSync(copy, text);
    }
    assert.equal(readFileSync(copy, "utf8"), text, copy);
  }
});
