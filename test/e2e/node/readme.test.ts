/** Every command that README.md tells a newcomer to type, in its order. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../../support/paths.ts";
import { holdPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "testbed", "binary");

/** Not run from here, and why. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "bin/demo": "test/e2e/node/demo.test.ts runs it",
  "bin/test": "this is it",
};
/**
 * Those of a cluster: test/e2e/cluster/helm.test.ts, deploy.test.ts and plugin.test.ts run them, with a test's own values, and
 * bring the image to their node by the engine's own import.
 */
const OF_A_CLUSTER = /^(kubectl|helm|skopeo|ctr|#|sh install\/deploy\.sh|install\/image\/image\.sh)/;

const commands = [...readFileSync(join(ROOT, "README.md"), "utf8").matchAll(/^```sh\n(.*?)^```/gms)].flatMap((block) =>
  (block[1] ?? "").trim().split("\n"),
);

test("README's commands do what it says", { skip }, async (t) => {
  await using _pattern = await holdPattern("core", { limit: 0, suidDumpable: 0 });
  const printed = new Map<string, string>();
  for (const command of commands) {
    if (ELSEWHERE[command] || OF_A_CLUSTER.test(command)) continue;
    await t.test(command, () => {
      printed.set(
        command,
        execFileSync("sh", ["-c", command], { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }),
      );
    });
  }
  const [listed = ""] = [...printed].filter(([command]) => command.endsWith(" list")).map(([, text]) => text);
  assert.match(listed, /Captured .* host\S* +dash( \(sh\))? +SIGSEGV .* SIGSEGV in dash/);
  assert.ok(!existsSync("/coredump/coredump-detector"));
  assert.equal(readFileSync("/proc/sys/kernel/core_pattern", "utf8"), "core\n");
});

test("README names no command that is not run", () => {
  assert.ok(commands.length > 10);
  for (const command of Object.keys(ELSEWHERE)) assert.ok(commands.includes(command), command);
});
