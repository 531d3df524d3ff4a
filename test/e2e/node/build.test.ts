/** What `bin/build` makes starts where it must: on hosts without Node, without our libraries, without any libc, on arm64. */
import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fetchPackages } from "../../../install/build/libraries.ts";
import type { Arch } from "../../../install/build/target.ts";
import { ensureTools } from "../../../install/build/tools.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const HOST = process.arch as Arch;
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };

function command(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): SpawnSyncReturns<string> {
  return spawnSync(file, args, { env, encoding: "utf8" });
}

/** Runs `bin/build` and returns the executable's path, which it prints. */
function build(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(join(ROOT, "bin/build"), args, { cwd: ROOT, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return join(ROOT, stdout.trim());
}

/**
 * `--version` of the executable in `/coredump` of that root, with no environment: as the kernel calls it.
 * The loader finds `$ORIGIN` in /proc; its mount goes away with the namespace.
 */
function runIn(root: string, ...through: string[]): SpawnSyncReturns<string> {
  const script = '[ ! -d "$0/proc" ] || mount --bind /proc "$0/proc"; exec env -i "$(command -v chroot)" "$0" "$@"';
  const inside = [...through, "/coredump/coredump-detector", "--version"];
  return command("unshare", ["--mount", "--propagation=private", "sh", "-c", script, root, ...inside]);
}

/** Any word on standard error (such as V8's, that it refused the code cache) is a failure too. */
function assertPrintsVersion({ status, stdout, stderr }: SpawnSyncReturns<string>): void {
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.ok(stdout.startsWith(version) && stdout.split("\n").length === 2, stdout);
}

/** A root with the C library of Debian 12, /proc, `/coredump` as it was built, and nothing else. */
function minimalRoot(path: string, arch: Arch, executable: string): void {
  for (const each of fetchPackages({ arch, libc: "own" }).filter((folder) => folder.includes("/libc6_")))
    cpSync(each, path, { recursive: true, verbatimSymlinks: true });
  mkdirSync(join(path, "proc"));
  install(path, executable);
}

function install(root: string, executable: string): void {
  mkdirSync(join(root, "coredump"), { recursive: true });
  copyFileSync(executable, join(root, "coredump/coredump-detector"));
  cpSync(join(executable, "../lib"), join(root, "coredump/lib"), { recursive: true });
}

const digest = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

describe("bin/build", { skip: needs("root") }, () => {
  test("starts on a Debian 12 root that has libc and nothing else, with its own libraries", () => {
    using root = tempDir();
    minimalRoot(root.path, HOST, build());
    assertPrintsVersion(runIn(root.path));
  });

  test("--libc=own starts in an empty root", () => {
    using root = tempDir();
    install(root.path, build("--libc", "own"));
    assertPrintsVersion(runIn(root.path));
  });

  test("--arch=arm64 starts on a Debian 12 root of that architecture, under qemu", () => {
    ensureTools({ "qemu-aarch64-static": "qemu-user-static" });
    using root = tempDir();
    minimalRoot(root.path, "arm64", build("--arch", "arm64"));
    copyFileSync("/usr/bin/qemu-aarch64-static", join(root.path, "qemu"));
    assertPrintsVersion(runIn(root.path, "/qemu"));
  });

  test("the environment changes neither Node's options nor the libraries", () => {
    using lib = tempDir();
    for (const name of ["libstdc++.so.6", "libatomic.so.1"]) writeFileSync(join(lib.path, name), "no ELF file");
    const env = { NODE_OPTIONS: "--no-such-option", LD_LIBRARY_PATH: lib.path };
    assertPrintsVersion(command(build(), ["--version"], env));
  });

  test("the tarball holds executable, links to it, libraries, notices and installer, owned by root, and no date", () => {
    const tarball = join(build(), `../coredump-detector-${version}-linux-${HOST}.tar.gz`);
    const { stdout } = command("tar", ["-tvzf", tarball, "--full-time", "--utc", "--numeric-owner"]);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(/\s+/));
    const top = `coredump-detector-${version}-linux-${HOST}`;
    assert.deepEqual(
      lines.map(([mode, owner, , day, time, ...name]) => [mode, owner, `${day} ${time}`, name.join(" ")]),
      [
        ["-rwxr-xr-x", "coredump-detector"],
        ["lrwxr-xr-x", "kubectl-coredump -> coredump-detector"],
        ["lrwxr-xr-x", "kubectl_complete-coredump -> coredump-detector"],
        ["drwxr-xr-x", "lib/"],
        ["-rw-r--r--", "lib/libatomic.so.1"],
        ["-rw-r--r--", "lib/libgcc_s.so.1"],
        ["-rw-r--r--", "lib/libstdc++.so.6"],
        ["-rw-r--r--", "THIRD-PARTY-NOTICES.txt"],
        ["-rwxr-xr-x", "install.sh"],
      ].map(([mode, name]) => [mode, "0/0", "1970-01-01 00:00:00", `${top}/${name}`]),
    );
  });

  test("the unpacked tarball's installer and links start the executable that is beside them", () => {
    using unpacked = tempDir();
    const top = `coredump-detector-${version}-linux-${HOST}`;
    command("tar", ["-xzf", join(build(), `../${top}.tar.gz`), "-C", unpacked.path]);
    const { status, stdout } = command("sh", [join(unpacked.path, top, "install.sh"), "--help"]);
    assert.equal(status, 0);
    assert.match(stdout, /^coredump-detector install\n/);
    assert.match(command(join(unpacked.path, top, "kubectl-coredump"), ["--help"]).stdout, /^kubectl coredump /);
    const { stdout: candidates } = command(join(unpacked.path, top, "kubectl_complete-coredump"), ["ver"]);
    assert.equal(candidates, "verify\nversion\n:4\n");
  });

  test("the same sources give the same bytes, wherever they go", () => {
    using other = tempDir();
    const tarball = `coredump-detector-${version}-linux-${HOST}.tar.gz`;
    const first = build();
    build("--out", other.path);
    assert.equal(digest(join(other.path, "coredump-detector")), digest(first));
    assert.equal(digest(join(other.path, tarball)), digest(join(first, "..", tarball)));
  });

  test("what is up to date is not made again", () => {
    const before = statSync(build()).ino;
    assert.equal(statSync(build()).ino, before);
  });

  test("an unknown architecture is a usage error that names the known ones", () => {
    const { status, stderr } = command(join(ROOT, "bin/build"), ["--arch", "mips"]);
    assert.deepEqual(
      { status, stderr },
      { status: 2, stderr: "error: Cannot use --arch mips: it is one of x64, arm64\n" },
    );
  });
});
