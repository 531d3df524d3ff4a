/** A file that is to be whole or not there at all, whatever ends its writer. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { NewFile } from "../../../src/cli/output/sinks.ts";
import { ROOT } from "../../support/paths.ts";
import { tempDir } from "../../support/tmp.ts";

const SINKS = join(ROOT, "src/cli/output/sinks.ts");

/** The writer's life; it ends itself behind one of these. */
const STEPS = [
  ["made", ""],
  ["half written", "await file.write(Buffer.alloc(4096, 1), 0n);"],
  ["written", "await file.write(Buffer.alloc(4096, 2), 4096n);"],
  ["named", "file.finish(10000);"],
] as const;

/** Runs it until behind the step, in a process of its own. @returns what is in its directory then */
function killed(path: string, last: string, signal: string, unnamed: string): string[] {
  const at = STEPS.findIndex(([name]) => name === last);
  const script = `
    import { NewFile } from ${JSON.stringify(SINKS)};
    const file = new NewFile(${JSON.stringify(path)}, false${unnamed});
    ${STEPS.slice(0, at + 1)
      .map(([, code]) => code)
      .join("\n")}
    process.kill(process.pid, "${signal}");
    await new Promise((resolve) => setTimeout(resolve, 10_000));`;
  const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", script];
  const ended = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(ended.signal, signal, ended.stderr);
  return readdirSync(join(path, ".."));
}

const NO_UNNAMED = ", () => undefined";
for (const [step] of STEPS)
  for (const { signal, unnamed, on } of [
    { signal: "SIGKILL", unnamed: "", on: "here" },
    { signal: "SIGTERM", unnamed: "", on: "here" },
    { signal: "SIGTERM", unnamed: NO_UNNAMED, on: "where each file has a name from the first on" },
  ])
    test(`NewFile whose writer is ended by ${signal} when it is ${step}, ${on}: ${step === "named" ? "the whole file" : "nothing"} is there`, () => {
      using dir = tempDir();
      const path = join(dir.path, "out.core");
      assert.deepEqual(killed(path, step, signal, unnamed), step === "named" ? ["out.core"] : []);
      if (step === "named") assert.equal(readFileSync(path).length, 10_000);
    });

for (const [on, ...unnamed] of [["with files without a name"], ["without", () => undefined]] as const) {
  test(`NewFile replaces what is there when it is told to, a link itself, ${on}`, async () => {
    using dir = tempDir();
    const [path, other] = [join(dir.path, "out.core"), join(dir.path, "other")];
    writeFileSync(other, "others'");
    symlinkSync(other, path);
    {
      using file = new NewFile(path, true, ...unnamed);
      await file.write(Buffer.from("new"), 0n);
      file.finish(3);
    }
    assert.deepEqual(readdirSync(dir.path).sort(), ["other", "out.core"]);
    assert.deepEqual([readFileSync(path, "utf8"), readFileSync(other, "utf8")], ["new", "others'"]);
    assert.deepEqual([statSync(path).nlink, statSync(path).mode & 0o777], [1, 0o600]);
  });

  test(`NewFile takes no name that another file has got meanwhile, ${on}`, async () => {
    using dir = tempDir();
    const path = join(dir.path, "out.core");
    {
      using file = new NewFile(path, false, ...unnamed);
      writeFileSync(path, "others'");
      assert.throws(() => file.finish(3), { code: "OUTPUT_UNWRITABLE", message: /it is there already/ });
    }
    assert.deepEqual([readdirSync(dir.path), readFileSync(path, "utf8")], [["out.core"], "others'"]);
  });
}
