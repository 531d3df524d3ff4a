/** The kernel's own words for dumps that it gave up: each made to happen. */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type KernelRefusal, readKmsg } from "../../../src/kernel/kmsg.ts";
import { kernelLog } from "../../../src/system/log.ts";
import { withPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const skip = needs("root", "command:prlimit");
const CRASH = ["-c", "kill -SEGV $$"];

/** What the kernel's log says more when `work` has run. */
async function newRefusals(work: () => Promise<unknown>): Promise<readonly KernelRefusal[]> {
  const last = readKmsg().refusals.at(-1)?.seq ?? -1;
  await work();
  return readKmsg().refusals.filter(({ seq }) => seq > last);
}

/** Crashes a shell; @returns its pid. */
function crash(command = "sh", args: readonly string[] = CRASH): number {
  const { pid, signal } = spawnSync(command, args);
  assert.equal(signal, "SIGSEGV");
  return pid;
}

test("readKmsg() tells of a handler that is not there", { skip }, async () => {
  let pid = 0;
  const [found] = await newRefusals(() => withPattern("|/nowhere/handler %P", async () => (pid = crash())));
  assert.deepEqual([found?.cause, found?.pid, found?.comm], ["exec-failed", pid, "sh"]);
  assert.ok(Math.abs((found?.time.getTime() ?? 0) - Date.now()) < 60_000);
});

test("readKmsg() tells of RLIMIT_CORE 1", { skip }, async () => {
  let pid = 0;
  const [found] = await newRefusals(() =>
    withPattern("|/bin/true", async () => (pid = crash("prlimit", ["--core=1", "sh", ...CRASH]))),
  );
  assert.deepEqual([found?.cause, found?.pid], ["rlimit-1", pid]);
});

test("readKmsg() tells of a crash over core_pipe_limit, whatever the process called itself", { skip }, async () => {
  using folder = tempDir();
  const handler = `${folder.path}/slow`;
  writeFileSync(handler, `#!/bin/sh\n: > ${folder.path}/called\nsleep 2\n`, { mode: 0o755 });
  const found = await newRefusals(() =>
    withPattern(
      `|${handler}`,
      async () => {
        const first = spawn("sh", CRASH);
        while (execFileSync("ls", [folder.path], { encoding: "utf8" }).includes("called") === false) await sleep(20);
        const rename = "printf 'a) \"\\033[31m\\377): x' > /proc/$$/comm; kill -SEGV $$";
        crash("sh", ["-c", rename]);
        await once(first, "exit");
      },
      { limit: 1 },
    ),
  );
  assert.equal(found.length, 1);
  assert.equal(found[0]?.cause, "pipe-limit");
  assert.match(found[0]?.comm ?? "", /^a\) "\\e\[31m.*\): x$/);
  assert.ok(!found[0]?.comm?.includes("\u001b"));
});

test("readKmsg() tells of a dump that our handler could not even record", { skip }, async () => {
  const [found] = await newRefusals(async () => kernelLog("lost dump of pid 4711 (a b): no room for a record"));
  assert.deepEqual([found?.cause, found?.hostPid, found?.comm], ["handler", 4711, "a b"]);
  assert.equal(found?.text, "no room for a record");
});
