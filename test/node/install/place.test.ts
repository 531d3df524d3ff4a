/** Whose files are whose: what is not ours is neither replaced nor removed, wherever we are told to install. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { install } from "../../../src/node/install/install.ts";
import { settingsForFile } from "../../../src/node/install/settings-file.ts";
import { uninstall } from "../../../src/node/install/uninstall.ts";
import { UNIT } from "../../../src/node/install/units.ts";
import { type FakeHost, type FakeHostOptions, fakeHost, program } from "./fake-host.ts";

const SYSTEMD = "|/usr/lib/systemd/systemd-coredump %P";
/** Our own folder in a directory of others. */
const BELOW = "/usr/local/coredump-detector";

const put = (host: FakeHost, binDir: string, flags: Record<string, string> = {}) =>
  install(
    { binDir, from: join(host.root, "src/coredump-detector"), patternOnly: false, settings: settingsForFile(flags) },
    host,
    new Date(0),
  );
const off = (host: FakeHost, binDir: string, purge = false) => uninstall({ binDir, purge }, host);
/** Every file below a directory of the host. */
const files = (host: FakeHost, directory: string): string[] =>
  readdirSync(join(host.root, directory), { recursive: true, withFileTypes: true })
    .filter((found) => !found.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name).slice(join(host.root, directory).length + 1))
    .sort();

/** As /usr/local is, with a settings.json that leads elsewhere. */
function withOthers(options?: FakeHostOptions): FakeHost {
  const host = fakeHost(options);
  host.write("/usr/local/lib/python3/os.py", "x");
  host.write("/usr/local/lib/libz.so.1", "x");
  host.write("/usr/local/bin/tool", "x", 0o755);
  host.write("/usr/local/settings.json", '{"theme":"dark","dump-dir":"/srv/theirs"}');
  return host;
}

test("install() puts its files into a folder of its own where others have theirs, and uninstall() removes that alone", async () => {
  using host = withOthers({ pattern: SYSTEMD, systemd: true });
  const before = files(host, "/usr/local");
  program(host);
  await put(host, "/usr/local", { host: "keep" });
  assert.match(host.get("pattern"), /^\|\/usr\/local\/coredump-detector\/coredump-detector /);
  assert.match(host.read(UNIT), /--bin-dir \/usr\/local\/coredump-detector$/m);
  assert.deepEqual(files(host, BELOW), [
    ".install.lock",
    "coredump-detector",
    "install-state.json",
    "installed.json",
    "lib/liba.so",
    "settings.json",
  ]);
  program(host, "2.0.0", ["libb.so"]);
  await put(host, "/usr/local"); // an upgrade finds it again
  assert.deepEqual(readdirSync(join(host.root, BELOW, "lib")), ["libb.so"]);
  host.write(`${BELOW}/lib/libtheirs.so`, "x");
  host.write(`${BELOW}/notes`, "x");
  await off(host, "/usr/local");
  assert.equal(host.get("pattern"), SYSTEMD);
  assert.deepEqual(files(host, "/usr/local"), [
    ...before.slice(0, 1),
    "coredump-detector/lib/libtheirs.so",
    "coredump-detector/notes",
    ...before.slice(1),
  ]);
});

test("install() refuses where also the folder of our name holds what is not ours, and changes nothing", async () => {
  using host = withOthers();
  program(host);
  host.write(`${BELOW}/README`, "x");
  const before = files(host, "/usr/local");
  await assert.rejects(put(host, "/usr/local"), { code: "NOT_PERMITTED", message: /what is there is not ours/ });
  assert.deepEqual([files(host, "/usr/local"), host.get("pattern")], [before, "core"]);
});

test("uninstall() where nothing of ours was ever installed removes nothing, dumps of others' settings neither", async () => {
  for (const purge of [false, true]) {
    using host = withOthers();
    host.write("/srv/theirs/019e0000-0000-7000-8000-000000000001/core", "x");
    const before = files(host, "/");
    const steps = await off(host, "/usr/local", purge);
    assert.deepEqual(files(host, "/"), before);
    assert.match(steps.map(({ text }) => text).join(), /nothing of ours in \/usr\/local/);
  }
});

test("uninstall() of one place leaves the pattern and the units of another alone", async () => {
  using host = withOthers({ systemd: true });
  program(host);
  await put(host, "/coredump");
  const [pattern, before] = [host.get("pattern"), files(host, "/etc")];
  await off(host, "/usr/local");
  assert.deepEqual([host.get("pattern"), files(host, "/etc")], [pattern, before]);
});

/** What the version before left: no record of its files. */
function fromBefore(dir: string): FakeHost {
  const host = dir === "/usr/local" ? withOthers() : fakeHost();
  host.write(`${dir}/coredump-detector`, "#!/bin/sh\necho 0.9.0\n", 0o755);
  for (const name of ["libstdc++.so.6", "libatomic.so.1"]) host.write(`${dir}/lib/${name}`, "of 0.9.0");
  const state = { formerPattern: SYSTEMD, formerPipeLimit: 0, formerSuidDumpable: 0, savedAt: "x" };
  host.write(`${dir}/install-state.json`, JSON.stringify(state));
  host.write(`${dir}/settings.json`, '{"host":"keep"}');
  host.set("pattern", `|${dir}/coredump-detector -P=%P -p=%p`);
  return host;
}

for (const dir of ["/coredump", "/usr/local"])
  test(`install() upgrades what the version before put into ${dir}, and uninstall() removes what is known to be ours`, async () => {
    using host = fromBefore(dir);
    host.write(`${dir}/lib/libpython3.so`, "x");
    program(host, "2.0.0", ["libstdc++.so.6"]);
    const others = files(host, dir).filter((name) => /python|tool|libz/.test(name));
    await put(host, dir);
    assert.match(host.read(`${dir}/coredump-detector`), /2\.0\.0/);
    assert.equal(host.read(`${dir}/lib/libstdc++.so.6`), "libstdc++.so.6 of 2.0.0");
    assert.ok(!existsSync(join(host.root, dir, "lib/libatomic.so.1")), "it would be loaded in place of the host's");
    assert.equal(JSON.parse(host.read(`${dir}/install-state.json`)).formerPattern, SYSTEMD);
    await off(host, dir);
    assert.equal(host.get("pattern"), SYSTEMD);
    assert.deepEqual(existsSync(join(host.root, dir)) ? files(host, dir) : [], others);
  });

test("uninstall() of the version before, without an upgrade, removes what is known to be ours", async () => {
  using host = fromBefore("/coredump");
  host.write("/coredump/config", "a kubeconfig");
  await off(host, "/coredump");
  assert.deepEqual([files(host, "/coredump"), host.get("pattern")], [["config"], SYSTEMD]);
});

test("install() in place, where the tarball was unpacked", async () => {
  using host = fakeHost();
  const from = program(host);
  host.write("/src/NOTICES", "x");
  await install({ binDir: "/src", from, patternOnly: false, settings: new Map() }, host, new Date(0));
  assert.match(host.get("pattern"), /^\|\/src\/coredump-detector /);
  await off(host, "/src");
  assert.deepEqual(files(host, "/src"), ["NOTICES"]);
});

test("install() replaces no library of others", async () => {
  using host = fakeHost();
  program(host);
  host.write("/coredump/lib/liba.so", "theirs");
  await assert.rejects(put(host, "/coredump"), { code: "NOT_PERMITTED", message: /lib\/liba\.so is not ours/ });
  assert.deepEqual([host.read("/coredump/lib/liba.so"), host.get("pattern")], ["theirs", "core"]);
});

test("install() and uninstall() leave a settings.json alone that is not ours", async () => {
  using host = fakeHost();
  program(host);
  host.write("/coredump/settings.json", '{"theme":"dark"}');
  await assert.rejects(put(host, "/coredump", { host: "keep" }), { code: "SETTINGS_INVALID" });
  await put(host, "/coredump");
  await off(host, "/coredump");
  assert.deepEqual(
    [files(host, "/coredump"), host.read("/coredump/settings.json")],
    [["settings.json"], '{"theme":"dark"}'],
  );
});

const weak: readonly { on: string; path: string; mode: number }[] = [
  { on: "the folder of the libraries", path: "lib", mode: 0o777 },
  { on: "a library", path: "lib/liba.so", mode: 0o666 },
  { on: "the executable", path: "coredump-detector", mode: 0o777 },
];
for (const { on, path, mode } of weak)
  test(`install() refuses where others can write ${on}: it runs as root`, async () => {
    using host = fakeHost();
    program(host);
    await put(host, "/coredump");
    chmodSync(join(host.root, "/coredump", path), mode);
    await assert.rejects(put(host, "/coredump"), { code: "NOT_PERMITTED", message: /can be written by others/ });
  });

const records: readonly { on: string; spoil(host: FakeHost): void }[] = [
  {
    on: "names that lead out of its directory",
    spoil: (host) =>
      host.write("/coredump/installed.json", '{"version":1,"files":["../srv/x","lib/..","lib/../../srv/x","/srv/x"]}'),
  },
  {
    on: "a writer other than root",
    spoil(host) {
      host.write("/coredump/installed.json", '{"version":1,"files":["theirs"]}');
      chmodSync(join(host.root, "/coredump/installed.json"), 0o666);
    },
  },
  { on: "a link", spoil: (host) => symlinkSync("/srv/x", join(host.root, "/coredump/installed.json")) },
];
for (const { on, spoil } of records)
  test(`uninstall() believes no record with ${on}`, async () => {
    using host = fakeHost();
    host.write("/srv/x", "x");
    host.write("/coredump/theirs", "x");
    spoil(host);
    const before = files(host, "/");
    await off(host, "/coredump");
    assert.deepEqual(files(host, "/"), before);
  });
