/** The cache's disk fails, is full, is not there, or is not to be trusted. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { age, crash, crashUnder, Handler } from "../../support/faults.ts";
import { program } from "../../support/paths.ts";
import { holdPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir, tempFileSystem } from "../../support/tmp.ts";

const skip = needs("root", "testbed", "binary");
const ALL_OF_IT = { "cache-share": 100, "free-share": 0 };

for (const capture of ["direct", "drain"]) {
  test(`a disk that fills in the middle (${capture}) keeps what fitted`, { skip }, async () => {
    using disk = tempFileSystem(256n << 20n);
    using handler = new Handler({ settings: { capture, ...ALL_OF_IT }, dumpDir: join(disk.path, "cache") });
    {
      await using _held = await holdPattern(handler.pattern());
      const crashed = crash(program("crash"), "192");
      const pid = await handler.stopInTheMiddle();
      try {
        execFileSync("dd", ["if=/dev/zero", `of=${disk.path}/other`, "bs=1M"], { stdio: "ignore" });
      } catch {
        // Full, as it should be.
      }
      process.kill(pid, "SIGCONT");
      assert.equal((await crashed).signal, "SIGSEGV");
    }
    const { state, reason, core } = await handler.record();
    assert.deepEqual([state, reason, core.truncation], ["Captured", "Truncated", "disk-full"]);
    assert.ok((core.sizeBytes ?? 0) > 0 && (core.sizeBytes ?? 0) < (core.expectedBytes ?? 0));
  });
}

test("a disk that is full before the record leaves a line in the kernel's log, and nothing half done", {
  skip,
}, async () => {
  using disk = tempFileSystem(1n << 20n);
  using handler = new Handler({ settings: ALL_OF_IT, dumpDir: join(disk.path, "cache") });
  const filler = join(disk.path, "other");
  assert.throws(() => writeFileSync(filler, Buffer.alloc(2 << 20, 1)), { code: "ENOSPC" });
  const { pid, signal } = await crashUnder(handler);
  assert.equal(signal, "SIGSEGV");
  await handler.ended();
  assert.match(
    execFileSync("dmesg", { encoding: "utf8" }),
    new RegExp(`lost dump of pid ${pid} \\(crash\\): .*no space left`),
  );
  age(handler.dumpDir);
  assert.deepEqual(await handler.records(), [], "and a full disk keeps nobody from looking");
  rmSync(filler);
  await crashUnder(handler);
  assert.equal((await handler.record()).core.complete, true);
});

for (const [name, errno, truncation] of [
  ["EDQUOT", 122, "disk-full"],
  ["EIO", 5, "write-failed"],
] as const) {
  test(`${name} in the middle of a core keeps what was written: ${truncation}`, { skip }, async () => {
    using handler = new Handler({ wrap: { fault: `pwrite64:5:${errno}` } });
    assert.equal((await crashUnder(handler)).signal, "SIGSEGV");
    const { state, core } = await handler.record();
    assert.deepEqual([state, core.complete, core.truncation], ["Captured", false, truncation]);
  });
}

test("a disk that fails at any step, and from there on, releases the process, and the next one finishes", {
  skip,
}, async () => {
  using handler = new Handler({ wrap: { fault: "any:0:5" } });
  await crashUnder(handler);
  await handler.ended();
  const steps = handler.stepsTaken();
  rmSync(handler.dumpDir, { recursive: true });
  {
    await using _held = await holdPattern(handler.pattern());
    for (const step of steps) {
      handler.wrap({ fault: `any:${step}:5` });
      assert.equal((await crash(program("crash"), "0")).signal, "SIGSEGV");
      await handler.ended();
    }
    age(handler.dumpDir);
    handler.wrap();
    await crash(program("crash"), "0");
  }
  const [last, ...failed] = await handler.records();
  assert.equal(last?.core.complete, true);
  assert.equal(failed.length, steps.length - 2);
  for (const { state, core } of failed)
    assert.ok(state === "Lost" || (state === "Captured" && core.path !== null), `${state} ${core.truncation}`);
});

/** Folders that memory must not be written to; each is made at the path. */
const UNUSABLE: readonly { on: string; make: (path: string) => void; why: RegExp; exit: number }[] = [
  { on: "a symbolic link", make: (path) => symlinkSync("/tmp", path), why: /it is not a directory/, exit: 73 },
  { on: "a file", make: (path) => writeFileSync(path, ""), why: /EEXIST|not a directory/, exit: 73 },
  {
    on: "another user's",
    make: (path) => {
      mkdirSync(path);
      chownSync(path, 1000, 1000);
    },
    why: /it belongs to another user/,
    exit: 73,
  },
  {
    on: "writable by others",
    make: (path) => {
      mkdirSync(path);
      chmodSync(path, 0o777);
    },
    why: /others can write it/,
    exit: 73,
  },
  {
    on: "read-only",
    make: (path) => {
      mkdirSync(path);
      execFileSync("mount", ["-t", "tmpfs", "-o", "ro,mode=0700", "testbed", path]);
    },
    why: /read-only file system/,
    exit: 73,
  },
];

for (const { on, make, why, exit } of UNUSABLE) {
  test(`a cache that is ${on} is not used: the process is released, the kernel's log says why`, { skip }, async () => {
    using disk = tempFileSystem(1n << 20n);
    using handler = new Handler({ dumpDir: join(disk.path, "cache") });
    make(handler.dumpDir);
    try {
      const before =
        existsSync(handler.dumpDir) && statSync(handler.dumpDir).isDirectory() ? readdirSync(handler.dumpDir) : [];
      const { pid, signal } = await crashUnder(handler);
      assert.equal(signal, "SIGSEGV");
      await handler.ended();
      const log = execFileSync("dmesg", { encoding: "utf8" });
      const line = log.split("\n").find((text) => text.includes(`lost dump of pid ${pid} `)) ?? "";
      assert.match(line, why);
      assert.equal(handler.run([`-P=${process.pid}`], "nothing"), exit);
      if (before.length > 0)
        assert.deepEqual(
          readdirSync(handler.dumpDir).filter((name) => !before.includes(name) && /^[0-9a-f-]{36}$/.test(name)),
          [],
        );
    } finally {
      if (on === "read-only") execFileSync("umount", [handler.dumpDir]);
    }
  });
}

test("a cache that is missing is made, root's alone, with the folders above", { skip }, async () => {
  using folder = tempDir();
  using handler = new Handler({ dumpDir: join(folder.path, "a/b/cache") });
  await crashUnder(handler);
  assert.equal((await handler.record()).core.complete, true);
  assert.equal(statSync(handler.dumpDir).mode & 0o777, 0o700);
  for (const file of readdirSync(handler.dumpDir, { recursive: true, encoding: "utf8" }))
    assert.equal(statSync(join(handler.dumpDir, file)).mode & 0o077, 0, file);
});

test("a log folder that cannot be written costs nothing", { skip }, async () => {
  using handler = new Handler({ settings: { log_dir: "/proc/nowhere" } });
  await crashUnder(handler);
  assert.equal((await handler.record()).core.complete, true);
});

test("a log folder that can be written gets one line a dump", { skip }, async () => {
  using folder = tempDir();
  using handler = new Handler({ settings: { log_dir: folder.path } });
  const { pid } = await crashUnder(handler, ["-n", "a\nb", "0"]);
  const { id } = await handler.record();
  const log = readFileSync(join(folder.path, "coredump-detector.log"), "utf8");
  assert.match(log, new RegExp(`^\\S+ info Captured ${id}: crash \\(pid ${pid}\\), held \\d+ ms\n$`));
});
