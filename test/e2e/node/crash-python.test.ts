/** Python programs crash under the real kernel: their own functions are on the stack, with the lines of the source. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Sysroot } from "../../../src/cli/commands/sysroot.ts";
import { crashOf } from "../../../src/crash/crash.ts";
import { readerOf } from "../../../src/crash/elf/bytes.ts";
import { MAX_FRAMES } from "../../../src/domain/crash.ts";
import { PYTHON_BUILDS } from "../../crash/cases.ts";
import { crashIn, flipping, wrongWith } from "../../crash/check.ts";
import { corpus } from "../../crash/corpus.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";

const SOURCE = readFileSync(join(ROOT, "test/crash/programs/corpus.py"), "utf8").split("\n");

const versionOf = (python: string): string =>
  spawnSync(python, ["-c", "import platform; print(platform.python_version())"], { encoding: "utf8" }).stdout?.trim();

for (const build of PYTHON_BUILDS) {
  const skip = needs("root", "testbed") || (versionOf(build.name) ? false : `${build.name} does not run here`);

  test(`${build.name}: crashOf() finds the functions that were written from the source`, { skip }, async () => {
    for (const crashed of await corpus([build])) {
      const crash = crashIn(crashed.core);
      const { how, expect } = crashed.case;
      assert.equal(wrongWith(crashed, crash.stack), undefined, `${how}: ${expect.join(" ")}`);
      assert.deepEqual(crash.runtime, { name: "python", version: versionOf(build.name) });
      assert.match(crash.title, how === "aborts" ? /^SIGABRT in aborts ← main/ : /^SIGSEGV at 0x0 in string_at ← /);
    }
  });

  test(`${build.name}: crashOf() finds their lines`, { skip }, async () => {
    for (const crashed of await corpus([build])) {
      const own = crashIn(crashed.core).stack.filter(({ file }) => file?.endsWith("/corpus.py"));
      assert.ok(own.length >= 2, crashed.case.how);
      for (const { function: name, line, kind } of own) {
        assert.equal(kind, "python");
        const text = SOURCE[(line ?? 0) - 1] ?? "";
        assert.ok(
          ` ${text.split(" # ")[1]} `.includes(` ${name} `) || /string_at|for each/.test(text),
          `${name}: ${line}`,
        );
      }
    }
  });

  test(`${build.name}: whatever bytes of the core are changed, something bounded comes out`, { skip }, async () => {
    const [crashed] = await corpus([build]);
    assert.ok(crashed);
    const core = readFileSync(crashed.core);
    for (const per of [16, 256, 4096]) {
      using sysroot = new Sysroot("/");
      const from = performance.now();
      const { stack } = crashOf({ core: flipping(readerOf(core), per, per), files: sysroot.file });
      assert.ok(stack.length <= MAX_FRAMES && performance.now() - from < 20_000);
    }
  });

  test(`${build.name}: one bug has one fingerprint in each thread, and another for each other bug`, {
    skip,
  }, async () => {
    const ids = (await corpus([build])).map(({ core }) => crashIn(core).fingerprint);
    const [main, thread, ...others] = ids;
    assert.equal(main, thread);
    assert.equal(new Set([main, ...others]).size, others.length + 1);
  });
}

test("one of these versions is here", { skip: needs("root", "testbed") }, () => {
  assert.ok(PYTHON_BUILDS.some(({ name }) => versionOf(name)));
});
