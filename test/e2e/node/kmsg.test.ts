/** The kernel's own words for dumps that it gave up: each made to happen. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SystemLog } from "../../../src/node/kernel/klog.ts";
import { type KernelRefusal, Kmsg, readKmsg } from "../../../src/node/kernel/kmsg.ts";
import { kernelLog } from "../../../src/system/log.ts";
import { withPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const skip = needs("root", "command:prlimit");
const CRASH = ["-c", "kill -SEGV $$"];

/** What the kernel's log says of the process that `work` crashed. */
async function refusalAfter(work: () => Promise<number>): Promise<KernelRefusal | undefined> {
  const last = readKmsg().refusals.at(-1)?.seq ?? -1;
  const crashed = await work();
  return readKmsg().refusals.find(({ seq, pid, hostPid }) => (seq ?? 0) > last && (pid ?? hostPid) === crashed);
}

/** Crashes a shell; @returns its pid. */
function crash(command = "sh", args: readonly string[] = CRASH): number {
  const { pid, signal } = spawnSync(command, args);
  assert.equal(signal, "SIGSEGV");
  return pid;
}

test("readKmsg() tells of a handler that is not there", { skip }, async () => {
  const found = await refusalAfter(() => withPattern("|/nowhere/handler %P", async () => crash()));
  assert.deepEqual([found?.cause, found?.comm], ["exec-failed", "sh"]);
  assert.ok(Math.abs((found?.time.getTime() ?? 0) - Date.now()) < 60_000);
});

test("readKmsg() tells of RLIMIT_CORE 1", { skip }, async () => {
  const limited = () => crash("prlimit", ["--core=1", "sh", ...CRASH]);
  const found = await refusalAfter(() => withPattern("|/bin/true", async () => limited()));
  assert.equal(found?.cause, "rlimit-1");
});

test("readKmsg() tells of a crash over core_pipe_limit, whatever the process called itself", { skip }, async () => {
  using folder = tempDir();
  const [handler, called] = [join(folder.path, "slow"), join(folder.path, "called")];
  writeFileSync(handler, `#!/bin/sh\n: > ${called}\nsleep 2\n`, { mode: 0o755 });
  const crashTwo = async () => {
    const first = spawn("sh", CRASH);
    const end = once(first, "exit");
    while (!existsSync(called)) await sleep(20);
    const second = crash("sh", ["-c", "printf 'a) \"\\033[31m\\377): x' > /proc/$$/comm; kill -SEGV $$"]);
    await end;
    return second;
  };
  const found = await refusalAfter(() => withPattern(`|${handler}`, crashTwo, { limit: 1 }));
  assert.equal(found?.cause, "pipe-limit");
  assert.match(found?.comm ?? "", /^a\) "\\e\[31m.*\): x$/); // as the kernel escaped it: nothing moves a cursor
});

test("Kmsg.read() gives what has come since the last time", { skip }, () => {
  using log = new Kmsg();
  const ours = () => log.read().refusals.filter(({ hostPid }) => hostPid === process.pid); // others may be crashing, too
  log.read();
  kernelLog(`lost dump of pid ${process.pid} (later): a test`);
  assert.deepEqual(
    [ours(), ours()].map((refusals) => refusals.map(({ comm }) => comm)),
    [["later"], []],
  );
});

test("SystemLog.read() gives the same without the device", { skip }, async () => {
  const log = new SystemLog();
  log.read();
  const found = await refusalAfter(() => withPattern("|/nowhere/handler %P", async () => crash()));
  const same = log.read().refusals.find(({ pid, cause }) => pid === found?.pid && cause === found?.cause);
  assert.deepEqual({ ...same, seq: found?.seq, time: found?.time }, found);
  kernelLog(`lost dump of pid ${process.pid} (again): a test`);
  const ours = () => log.read().refusals.filter(({ hostPid }) => hostPid === process.pid);
  assert.deepEqual([ours().length, ours().length], [1, 0]);
});

test("readKmsg() tells of a dump that our handler could not even record", { skip }, async () => {
  const found = await refusalAfter(async () => {
    kernelLog("lost dump of pid 4711 (a b): no room for a record");
    return 4711;
  });
  assert.deepEqual([found?.cause, found?.comm, found?.text], ["handler", "a b", "no room for a record"]);
});
