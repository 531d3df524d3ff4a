/** bin/demo as a newcomer calls it: it ends with list and info of what it caught, and leaves nothing behind. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, globSync, mkdtempDisposableSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { identityOf } from "../../support/identity-of.ts";
import { ROOT, TESTBED } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";

const LIST_HEADER = /^ID +STATE +WHEN +WHO +EXECUTABLE +SIGNAL +SIZE +COMPLETE +CRASH$/m;
const isRoot = process.getuid?.() === 0;

interface Demo {
  readonly exitCode: number | null;
  readonly output: string;
  /** Where it works; named in its output by every command to paste. */
  readonly work: string;
}

/** @param interruptAt Ctrl-C, as a terminal sends it, once the output says this */
async function demo(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  interruptAt?: RegExp,
  uid?: number,
): Promise<Demo> {
  const child = spawn(join(ROOT, "bin/demo"), args, {
    env: { ...process.env, NO_COLOR: "1", ...env },
    detached: true, // a process group of its own
    stdio: ["ignore", "pipe", "pipe"],
    ...(uid !== undefined && { uid, gid: uid }),
  });
  let output = "";
  let interrupted = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (interrupted || !interruptAt?.test(output)) return;
      interrupted = true;
      process.kill(-(child.pid ?? 0), "SIGINT");
    });
  }
  const exitCode = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { exitCode, output, work: /\/tmp\/cd-\w{6}/.exec(output)?.[0] ?? join(tmpdir(), "none") };
}

/** Nothing of its own is left: folder, pattern, engines. (Others may use the machine at the same time.) */
function assertNothingLeft(work: string): void {
  assert.equal(existsSync(work), false);
  assert.equal(readFileSync("/proc/sys/kernel/core_pattern", "utf8").includes(work), false);
  const orphans = globSync(join(TESTBED, "run/*/owner")).filter((owner) => !isAlive(readFileSync(owner, "utf8")));
  assert.deepEqual(orphans, []);
}

function isAlive(identity: string): boolean {
  try {
    return identityOf(Number.parseInt(identity, 10)).trim() === identity.trim();
  } catch {
    return false;
  }
}

test("bin/demo catches a process of the host and one in a pod", {
  skip: needs("root", "testbed", "binary"),
}, async () => {
  const { exitCode, output, work } = await demo([], { DEMO: "" });
  assert.equal(exitCode, 0, output);
  assert.match(output, LIST_HEADER);
  assert.match(
    output,
    /^[0-9a-f]{12} +Captured .* shop\/web-0\/nginx +crash +SIGSEGV +\S+ MiB +yes +SIGSEGV at 0xdead in crash_here ←/m,
  );
  assert.match(output, /^[0-9a-f]{12} +Captured .* host +\w+(?: \(sh\))? +SIGSEGV +.* yes +SIGSEGV in /m);
  assert.match(output, /Where +namespace shop, pod web-0, container nginx \(attempt 4\)/);
  assert.match(output, /thread \d+ "worker-1", one of 5/);
  assert.match(output, /Where +on the host itself/);
  assert.doesNotMatch(output, /Warnings|not confirmed/);
  assertNothingLeft(work);
});

test("DEMO=quick bin/demo DIR keeps the dump in DIR", { skip: needs("root", "binary") }, async () => {
  using dir = mkdtempDisposableSync(join(tmpdir(), "demo-"));
  const dumps = join(dir.path, "dumps");
  const { exitCode, output, work } = await demo([dumps], { DEMO: "quick" });
  assert.equal(exitCode, 0, output);
  assert.match(output, /^[0-9a-f]{12} +Captured .* host +\w+(?: \(sh\))? +SIGSEGV +.* yes +SIGSEGV in /m);
  assert.equal(globSync(join(dumps, "*/core")).length, 1);
  assertNothingLeft(work);
});

test("bin/demo puts everything back on Ctrl-C", { skip: needs("root", "testbed", "binary") }, async () => {
  for (const moment of [/^A shell of this machine/m, /^A program with 5 threads/m]) {
    const { exitCode, work } = await demo([], { DEMO: "" }, moment);
    assert.equal(exitCode, 130);
    assert.match(work, /cd-/);
    assertNothingLeft(work);
  }
});

test("bin/demo replays a recorded crash for a user who is not root", { skip: needs("binary") }, async (t) => {
  if (isRoot && !reachableByAll(ROOT)) return t.skip("the checkout is root's alone");
  const { exitCode, output, work } = await demo([], { HOME: "/nonexistent" }, undefined, isRoot ? 65534 : undefined);
  assert.equal(exitCode, 0, output);
  assert.match(output, LIST_HEADER);
  assert.match(output, /Where +namespace shop, pod web-0, container nginx \(attempt 4\), node node-1/);
  assert.equal(existsSync(work), false);
});

function reachableByAll(path: string): boolean {
  if ((statSync(path).mode & 0o005) !== 0o005) return false;
  return path === "/" || reachableByAll(dirname(path));
}
