/** install --mode=file under the real kernel: where cores are, and the limits that docs/operations.md tells of. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readPattern, readSetting } from "../../../src/node/kernel/core-pattern.ts";
import { BINARY } from "../../support/paths.ts";
import { withPattern } from "../../support/pattern.ts";
import { SOURCES } from "../../support/role-process.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const skip = needs("root", "binary");
const values = () => [readPattern(), readSetting("pipeLimit"), readSetting("suidDumpable")];

function run(...args: readonly string[]): string {
  const [file = "", ...first] = SOURCES;
  const { status, stdout, stderr } = spawnSync(file, [...first, ...args], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** As in a container: a mount namespace of its own, in which `seen` is what `own` is outside. */
const crashIn = (own: string, seen: string, ...how: readonly string[]): void => {
  const script = `mount --bind "$1" "$2" && shift 2 && exec "$@" -c 'kill -SEGV $$'`;
  spawnSync("unshare", ["--mount", "sh", "-c", script, "sh", own, seen, ...how], { cwd: "/" });
};

test("install --mode=file: a core lies where the process itself sees that path, if it may; uninstall restores", {
  skip,
}, async () => {
  using folder = tempDir();
  const binDir = mkdtempSync("/opt/cd-"); // a place that only root can write all the way to it
  const [seen, own] = [join(folder.path, "seen"), join(folder.path, "own")];
  const cores = (directory: string): string[] => readdirSync(directory);
  for (const directory of [seen, own]) mkdirSync(directory);
  chmodSync(folder.path, 0o755);
  try {
    await withPattern(
      "core",
      async () => {
        const pattern = `${seen}/core_%e_%t_%P`;
        const flags = ["--bin-dir", binDir, "--from", BINARY, `--dump-dir=${join(folder.path, "cache")}`];
        const said = run("install", ...flags, "--mode=file", `--file-pattern=${pattern}`);
        assert.match(said, /✔ pattern .*was: core \(saved\).*no core is captured/s);
        assert.deepEqual(values(), [pattern, "0", "0"]);

        crashIn(own, seen, "prlimit", "--core=unlimited", "sh");
        assert.match(cores(own).join(), /^core_sh_\d+_\d+$/);
        assert.equal(
          readFileSync(join(own, cores(own)[0] ?? ""))
            .subarray(1, 4)
            .toString(),
          "ELF",
        );
        assert.deepEqual(cores(seen), []); // nothing at that path of the host

        crashIn(own, seen, "prlimit", "--core=0", "sh"); // as every engine has it
        const asUser = [
          "prlimit",
          "--core=unlimited",
          "setpriv",
          "--reuid=1000",
          "--regid=1000",
          "--clear-groups",
          "sh",
        ];
        crashIn(own, seen, ...asUser); // who may not write there
        assert.equal(cores(own).length, 1);
        chmodSync(own, 0o777);
        crashIn(own, seen, ...asUser);
        assert.equal(cores(own).length, 2);

        run("uninstall", "--bin-dir", binDir);
        assert.deepEqual(values(), ["core", "0", "0"]);
      },
      { limit: 0, suidDumpable: 0 },
    );
  } finally {
    rmSync(binDir, { recursive: true, force: true });
  }
});
