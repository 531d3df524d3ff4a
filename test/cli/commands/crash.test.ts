/** `coredump-detector crash` as a user calls it: over a real core of a C program, and what is not one. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Crash } from "../../../src/domain/crash.ts";
import { fixture } from "../../crash/elf/fixtures.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";
import { run } from "./run.ts";

const SOURCE = `
__attribute__((noinline)) int total(int *p) { return p[6]; }
__attribute__((noinline)) int checkout(int *p) { return total(p) + 1; }
int main(int count, char **words) { (void)count; (void)words; return checkout((int *)0) + 2; }
`;

/** gdb writes a core of what it runs: no core_pattern is needed. */
function crashed(folder: string): string {
  const [source, program, core] = ["shop.c", "shop", "core"].map((name) => join(folder, name));
  writeFileSync(source ?? "", SOURCE);
  execFileSync("gcc", ["-O1", "-o", program ?? "", source ?? ""]);
  execFileSync("gdb", ["-batch", "-nx", "-ex", "run", "-ex", `gcore ${core}`, program ?? ""], { stdio: "ignore" });
  return core ?? "";
}

test("crash says what happened, with the stack", { skip: needs("command:gcc", "command:gdb") }, async (t) => {
  using folder = tempDir();
  const core = crashed(folder.path);
  await t.test("for people", async () => {
    const { code, stdout, stderr } = await run(["crash", core]);
    assert.equal(code, 0, stderr);
    assert.match(
      stdout.toString(),
      /^SIGSEGV at 0x18 in total ← checkout ← main\n.*#0 +total.*#1 +checkout.*#2 +main/s,
    );
  });
  await t.test("for machines", async () => {
    const { stdout } = await run(["crash", core, "-o", "json"]);
    const crash: Crash = JSON.parse(stdout.toString());
    assert.deepEqual(
      crash.stack.slice(0, 3).map(({ function: name, trust, module }) => [name, trust, module]),
      [["total", "context", 0], ["checkout", "cfi", 0], ["main", "cfi", 0]], // biome-ignore format: one frame each
    );
    assert.equal(crash.modules[0]?.path, join(folder.path, "shop"));
    assert.match(crash.fingerprint ?? "", /^[0-9a-f]{12}$/);
  });
  await t.test("without the files: what the core alone shows", async () => {
    const { code, stdout } = await run(["crash", core, "--sysroot", folder.path, "-o", "json"]);
    assert.equal(code, 0);
    const crash: Crash = JSON.parse(stdout.toString());
    assert.equal(crash.modules[0]?.state, "notOpened");
    assert.equal(crash.stack[0]?.module, 0);
  });
});

test("crash of what cannot be read is one line and exit code 65", async () => {
  using folder = tempDir();
  const text = join(folder.path, "text");
  writeFileSync(text, "not a core");
  const cut = join(folder.path, "cut");
  writeFileSync(cut, fixture("segv").subarray(0, 100));
  for (const path of [text, cut, folder.path, join(folder.path, "nothing")]) {
    const { code, stderr } = await run(["crash", path]);
    assert.equal(code, 65, stderr);
    assert.match(stderr, /Cannot read the core/);
  }
});
