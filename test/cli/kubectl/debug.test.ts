/** `kubectl coredump debug` with the real gdb: what it finds, what it leaves out, what it leaves behind. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { needs } from "../../support/set-up.ts";
import { Api } from "../client/api.ts";
import { type Crashing, crashing, scribbled } from "../client/crashing.ts";
import { atTerminal, type How, plugin } from "./run.ts";

const skip = needs("command:gdb", "command:gcc");
const NAME = "web-0-server-3f9c2a71b0de";
const BACKTRACE =
  /^#0 +.*crash_in_library \(depth=0\) at .*library\.c:1\n(#[1-7] .*crash_in_library .*\n){7}#8 .* main /m;

let shared: Crashing | undefined;
const program = (): Crashing => (shared ??= crashing());
after(() => shared?.[Symbol.dispose]());

/** An API server with one dump of the program. */
async function withDump(spec: object = {}): Promise<Api> {
  const api = await Api.start();
  const { core, exe } = program();
  api.saved(NAME, core, {
    spec: { filename: "server", exe, signal: { number: 11, name: "SIGSEGV" }, image: "shop/server:1", ...spec },
    status: { threads: [{ tid: 7, name: "server", crashed: true }] },
  });
  return api;
}

const debug = (api: Api, args: readonly string[], how: How = {}) => {
  const env = { TMPDIR: api.folder.path, ...how.env };
  return plugin(["debug", NAME, "--print-backtrace", "--kubeconfig", api.kubeconfig, ...args], { ...how, env });
};

const leftIn = (api: Api): string[] =>
  readdirSync(api.folder.path).filter((name) => name.startsWith("kubectl-coredump-"));

test("debug --sysroot prints the crashing function out of the image's library, and leaves nothing", {
  skip,
}, async () => {
  await using api = await withDump();
  const { code, stdout, stderr } = await debug(api, ["--sysroot", program().image]);
  assert.equal(code, 0, stderr);
  assert.match(stdout.toString(), /^Thread 7 "server" \(crashed, SIGSEGV\)\n#0 /);
  assert.match(stdout.toString(), BACKTRACE);
  assert.deepEqual(leftIn(api), []);
});

test("debug of a core with scribbled thread structures ends: no library of the host walks them", { skip }, async () => {
  using bad = scribbled();
  await using api = await Api.start();
  api.saved(NAME, bad.core, { spec: { filename: "scribbled", exe: bad.exe } });
  const loaded = join(api.folder.path, "loaded");
  const env = { LD_DEBUG: "files", LD_DEBUG_OUTPUT: loaded };
  const { code, stdout, stderr } = await debug(api, ["--sysroot", bad.image, "--gdb-timeout", "60s"], { env });
  assert.equal(code, 0, stderr);
  assert.match(stdout.toString(), /^#0 .*scribbling \(.*scribbled\.c:11$/m);
  const logs = readdirSync(api.folder.path).filter((name) => name.startsWith("loaded."));
  const files = logs.map((name) => readFileSync(join(api.folder.path, name), "utf8")).join("");
  assert.match(files, /gdb/); // it was seen
  assert.doesNotMatch(files, /calling init: \S*libthread_db/);
});

/** Something that is called gdb, prints its beginning, and then goes wrong. */
function badGdb(api: Api, rest: string): string {
  const path = join(api.folder.path, "gdb");
  const mark = "== the backtrace begins here ==";
  writeFileSync(path, `#!/bin/sh\ntrap "" TERM INT HUP\necho "${mark}"\necho "#0 first"\n${rest}\n`, { mode: 0o755 });
  return path;
}

for (const [on, rest, says] of [
  ["that never ends", "while :; do sleep 0.1; done", /gdb was not done in 1s/],
  ["that prints without end", 'yes "$(printf %1000s x)"', /gdb printed more than 16 MiB/],
] as const) {
  test(`debug --print-backtrace bounds a gdb ${on}, and prints what it had said`, { skip }, async () => {
    await using api = await withDump();
    const time = on === "that never ends" ? "1s" : "1m";
    const args = ["--sysroot", program().image, "--gdb", badGdb(api, rest), "--gdb-timeout", time];
    const { code, stdout, stderr } = await debug(api, args);
    assert.equal(code, 65, stderr);
    assert.match(stdout.toString(), /^#0 first$/m);
    assert.match(stderr, says);
    assert.match(stderr, /\nhint: .*--gdb-timeout/);
    assert.deepEqual(leftIn(api), []);
  });
}

test("Ctrl-C ends debug --print-backtrace also while gdb hears nothing", { skip }, async () => {
  await using api = await withDump();
  const asked = join(api.folder.path, "asked");
  const args = ["--sysroot", program().image, "--gdb", badGdb(api, `touch ${asked}\nwhile :; do sleep 0.1; done`)];
  const { code } = await debug(api, args, {
    meddle: (child) => {
      const timer = setInterval(() => {
        if (!existsSync(asked)) return;
        clearInterval(timer);
        child.kill("SIGINT");
      }, 50);
    },
  });
  assert.equal(code, 130);
  assert.deepEqual(leftIn(api), []);
});

test("debug --core needs no download", { skip }, async () => {
  await using api = await withDump();
  const core = join(api.folder.path, "core");
  writeFileSync(core, program().core);
  const { code, stdout } = await debug(api, ["--core", core, "--sysroot", program().image, "--all-threads"]);
  assert.equal(code, 0);
  assert.match(stdout.toString(), BACKTRACE);
  assert.equal(api.asked.length, 0);
});

test("debug leaves out another build, and does without the executable not at all", { skip }, async () => {
  await using api = await withDump();
  const { exe, image, library, folder } = program();
  const other = join(folder.path, "other");
  execFileSync("cp", ["-a", image, other]);
  writeFileSync(join(folder.path, "x.c"), "int crash_in_library(int d) { return d; }");
  execFileSync("gcc", ["-shared", "-Wl,--build-id", "-o", join(other, library), join(folder.path, "x.c")]);
  const first = await debug(api, ["--sysroot", other]);
  assert.equal(first.code, 0, first.stderr);
  assert.ok(first.stderr.includes(`warning: another build in the image, so left out: ${library}`));
  assert.doesNotMatch(first.stdout.toString(), /library\.c/);
  rmSync(join(other, exe));
  const second = await debug(api, ["--sysroot", other]);
  assert.equal(second.code, 72);
  assert.match(second.stderr, /error: Cannot debug without \S+server: the image does not have it\nhint: .*--sysroot/);
  assert.deepEqual(leftIn(api), []);
});

/** What an image may hold to make a debugger run or read something. */
function hostile(image: string, exe: string): string {
  const trap = join(dirname(image), "sprung");
  const script = `shell touch ${trap}\npython open(${JSON.stringify(trap)}, "w")\n`;
  const beside = join(image, exe);
  for (const name of [`${beside}-gdb.gdb`, `${beside}-gdb.py`, join(dirname(beside), ".gdbinit")])
    writeFileSync(name, name.endsWith(".py") ? `open(${JSON.stringify(trap)}, "w")\n` : script);
  return trap;
}

test("debug runs nothing of an image, and follows no link out of it", { skip }, async () => {
  await using api = await withDump();
  const { exe, image, library, folder } = program();
  const bad = join(folder.path, "bad");
  execFileSync("cp", ["-a", image, bad]);
  const trap = hostile(bad, exe);
  // The library behind an absolute link: inside it leads to another place, outside to the very file.
  const real = join(bad, "elsewhere", "libcrash.so.1.0");
  mkdirSync(dirname(real));
  renameSync(join(bad, library), real);
  symlinkSync(`${dirname(library)}.gone/libcrash.so.1.0`, join(bad, library));
  const home = join(api.folder.path, "home");
  mkdirSync(home);
  writeFileSync(join(home, ".gdbinit"), `shell touch ${trap}\n`);
  const out = await debug(api, ["--sysroot", bad], { cwd: dirname(join(bad, exe)), env: { HOME: home } });
  assert.equal(out.code, 0, out.stderr);
  assert.doesNotMatch(out.stdout.toString(), /library\.c/);
  assert.ok(!readdirSync(dirname(trap)).includes("sprung"));

  rmSync(join(bad, library));
  symlinkSync("/elsewhere/libcrash.so.1.0", join(bad, library));
  const inside = await debug(api, ["--sysroot", bad]);
  assert.match(inside.stdout.toString(), BACKTRACE);
});

/** An engine that has one image: a script that says what `docker` would. */
function fakeEngine(api: Api, tar: string, name = "docker"): { readonly path: string; calls(): string[] } {
  const bin = join(api.folder.path, "bin");
  const log = join(api.folder.path, "calls");
  mkdirSync(bin, { recursive: true });
  const script = `#!/bin/sh
echo "$*" >> ${log}
case $1 in
  image) [ "$3" = shop/server:1 ] ;;
  pull) echo "no such image: $3" >&2; exit 1 ;;
  create) echo 0123abcd ;;
  export) cat ${tar} ;;
esac`;
  writeFileSync(join(bin, name), script);
  chmodSync(join(bin, name), 0o755);
  return { path: `${bin}:/usr/bin:/bin`, calls: () => readFileSync(log, "utf8").trim().split("\n") };
}

test("debug takes the files from an engine that has the image, and removes the container it made", {
  skip,
}, async () => {
  await using api = await withDump();
  const { image, folder } = program();
  const tar = join(folder.path, "image.tar");
  execFileSync("tar", ["-C", image, "-cf", tar, "."]);
  const engine = fakeEngine(api, tar);
  const { code, stdout, stderr } = await debug(api, [], { env: { PATH: engine.path } });
  assert.equal(code, 0, stderr);
  assert.match(stdout.toString(), BACKTRACE);
  assert.deepEqual(engine.calls().slice(-3), [
    "create --network none shop/server:1 /never-started",
    "export 0123abcd",
    "rm --force 0123abcd",
  ]);
  assert.deepEqual(leftIn(api), []);
});

test("debug says what each engine said when none has the image", { skip }, async () => {
  await using api = await withDump({ image: "shop/other:2", imageDigest: `sha256:${"a".repeat(64)}` });
  const engine = fakeEngine(api, "/dev/null", "podman");
  const { code, stderr } = await debug(api, [], { env: { PATH: engine.path } });
  assert.equal(code, 72);
  assert.match(
    stderr,
    /Cannot get the files of image shop\/other:2: podman: no such image: .*\nhint: .*--sysroot.*--in-cluster/,
  );
  assert.deepEqual(leftIn(api), []);
});

test("debug without gdb says so before it downloads anything", { skip }, async () => {
  await using api = await withDump();
  const { code, stderr } = await debug(api, ["--sysroot", "/"], { env: { PATH: "/nonexistent" } });
  assert.equal(code, 72);
  assert.match(stderr, /^error: Cannot debug here: there is no gdb\nhint: Install gdb/);
  assert.equal(api.asked.length, 0);
});

test("debug without --print-backtrace is gdb itself, at the terminal", {
  skip: skip || needs("command:script"),
}, async () => {
  await using api = await withDump();
  const args = ["debug", NAME, "--sysroot", program().image, "--kubeconfig", api.kubeconfig];
  const { stdout, code } = await atTerminal(args, "backtrace\nquit\n", { TMPDIR: api.folder.path });
  assert.match(stdout, BACKTRACE);
  assert.equal(code, 0);
  assert.deepEqual(leftIn(api), []);
});
