/** install and uninstall on this very machine: the built executable, the real kernel, and what must be refused. */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openCache } from "../../../src/node/cache/cache.ts";
import { readPattern, readSetting, writeSetting } from "../../../src/node/kernel/core-pattern.ts";
import { eventually } from "../../support/eventually.ts";
import { BINARY, ROOT } from "../../support/paths.ts";
import { withPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir, tempFileSystem } from "../../support/tmp.ts";

const skip = needs("root", "binary");
const UNTOUCHED = { limit: 0, suidDumpable: 0 } as const;

/** A place that only root can write all the way to it: /tmp is none. */
function binDir(): { path: string } & Disposable {
  const path = mkdtempSync("/opt/cd-");
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

const run = (program: string, ...args: string[]) => spawnSync(program, args, { encoding: "utf8" });

/** @returns what it printed; fails with what it said when it fails */
function succeed(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = run(program, ...args);
  assert.equal(status, 0, stderr);
  return stdout;
}

const kernelValues = () => [readPattern(), readSetting("pipeLimit"), readSetting("suidDumpable")];

test("install.sh makes the kernel call us, uninstall undoes it, both twice over", { skip }, async () => {
  using place = binDir();
  using cache = tempDir();
  const [installed, dumpDir] = [join(place.path, "coredump-detector"), join(cache.path, "cores")];
  await withPattern(
    "core",
    async () => {
      const flags = ["--bin-dir", place.path, `--dump-dir=${dumpDir}`];
      const said = succeed(join(ROOT, "install/install.sh"), ...flags);
      assert.match(
        said,
        /✔ handler .*starts here in \d+ ms.*was: core \(saved\).*core_pipe_limit 0 → 64, suid_dumpable 0 → 2/s,
      );
      assert.match(succeed(installed, "install", ...flags), /handler .* unchanged\n✔ pattern .* unchanged\n/);

      assert.equal(spawnSync("sh", ["-c", "kill -SEGV $$"]).signal, "SIGSEGV");
      for (let tries = 0; tries < 100 && !existsSync(dumpDir); tries++) await sleep(50);
      await captured(dumpDir);

      const undone = succeed(BINARY, "uninstall", "--bin-dir", place.path);
      assert.match(undone, /1 dump not stored anywhere else stays in/);
      assert.deepEqual(kernelValues(), ["core", "0", "0"]);
      assert.ok(!existsSync(place.path));
      assert.match(
        succeed(BINARY, "uninstall", "--bin-dir", place.path, `--dump-dir=${dumpDir}`, "--purge"),
        /1 dump purged/,
      );
      assert.ok(!existsSync(dumpDir));
    },
    UNTOUCHED,
  );
});

/** The one dump in there, once it is whole. */
async function captured(dumpDir: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const [record] = openCache(dumpDir).records();
    if (record?.core.sha256) return assert.equal(record.core.complete, true);
    await sleep(50);
  }
  assert.fail(`no whole dump in ${dumpDir}`);
}

test("install upgrades while a handler runs, and that one finishes its dump", { skip }, async () => {
  using place = binDir();
  using folder = tempDir();
  const [installed, cache] = [join(place.path, "coredump-detector"), join(folder.path, "cores")];
  await withPattern(
    "core",
    async () => {
      succeed(BINARY, "install", "--bin-dir", place.path);
      const before = statSync(installed).ino;
      const victim = spawn("sleep", ["60"]);
      try {
        const core = readFileSync(join(ROOT, "fixtures/elf/segv.core"));
        const call = [`-P=${victim.pid}`, "-p=1", `-d=${cache}`, "--capture=drain", "-e=sleep"]; // what stands after -e is part of the name
        const handler = spawn(installed, call, { stdio: ["pipe", "ignore", "inherit"] });
        const end = once(handler, "exit");
        handler.stdin.write(core.subarray(0, core.length / 2));
        await eventually(() => assert.ok(existsSync(cache)));

        cpSync(dirname(BINARY), join(folder.path, "new"), {
          recursive: true,
          filter: (path) => !path.endsWith(".tar.gz"),
        });
        const next = join(folder.path, "new/coredump-detector");
        appendFileSync(next, "\n"); // another build
        assert.match(succeed(BINARY, "install", "--bin-dir", place.path, "--from", next), /pattern .* unchanged/);
        assert.notEqual(statSync(installed).ino, before);

        handler.stdin.end(core.subarray(core.length / 2));
        assert.deepEqual(await end, [0, null]);
        await captured(cache);
      } finally {
        victim.kill("SIGKILL");
      }
      succeed(BINARY, "uninstall", "--bin-dir", place.path);
      assert.deepEqual(kernelValues(), ["core", "0", "0"]);
    },
    UNTOUCHED,
  );
});

test("uninstall leaves a pattern alone that somebody else has set since", { skip }, async () => {
  using place = binDir();
  await withPattern(
    "core",
    async () => {
      succeed(BINARY, "install", "--bin-dir", place.path);
      writeSetting("pattern", "|/bin/false %P");
      assert.match(succeed(BINARY, "uninstall", "--bin-dir", place.path), /\|\/bin\/false %P has taken over/);
      assert.equal(readPattern(), "|/bin/false %P");
      assert.ok(!existsSync(place.path));
    },
    UNTOUCHED,
  );
});

const mounts = [
  { options: "noexec", exitCode: 77, said: /is mounted noexec/ },
  { options: "ro", exitCode: 77, said: /read-only/ },
];
for (const { options, exitCode, said } of mounts) {
  test(`install refuses a directory on a ${options} mount, and touches nothing`, { skip }, async () => {
    using fs = tempFileSystem(1n << 20n);
    using place = binDir();
    execFileSync("mount", ["--move", fs.path, place.path]);
    try {
      execFileSync("mount", ["-o", `remount,${options}`, place.path]);
      await withPattern("core", async () => {
        const { status, stderr } = run(BINARY, "install", "--bin-dir", join(place.path, "in"));
        assert.equal(status, exitCode, stderr);
        assert.match(stderr, said);
        assert.match(stderr, /^hint: /m);
        assert.equal(readPattern(), "core");
      });
    } finally {
      execFileSync("mount", ["--move", place.path, fs.path]);
    }
  });
}

test("install refuses a directory that others can write, and who is not root", { skip }, () => {
  using folder = tempDir();
  const inTmp = run(BINARY, "install", "--bin-dir", join(folder.path, "bin"));
  assert.equal(inTmp.status, 77);
  assert.match(inTmp.stderr, /\/tmp can be written by others \(mode 1777\)/);
  const { status, stderr } = spawnSync(
    "setpriv",
    ["--reuid=65534", "--clear-groups", process.execPath, join(ROOT, "src/main.ts"), "install"],
    { encoding: "utf8" },
  );
  assert.deepEqual([status, /it changes the node, which takes root/.test(stderr)], [77, true], stderr);
});

test("writeSetting() notices that the kernel cut the pattern, and sets the former one again", { skip }, async () => {
  await withPattern("core", async () => {
    assert.throws(() => writeSetting("pattern", `|/bin/${"x".repeat(140)}`), {
      code: "PATTERN_REFUSED",
      message: /it reads "\|\/bin\/x{121}"$/,
    });
    assert.equal(readPattern(), "core");
  });
});
