/**
 * A real crash under the real kernel, followed through the cache: the only proof that all of it works together.
 *
 * The crashed process runs the installed handler's own file, which with its mark in the arguments is how the handler
 * knows it: it is captured whatever becomes of other host processes here.
 */

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { DumpRecord } from "../../domain/dump.ts";
import { DumpError, ifPossible, reasonOf } from "../../domain/failures.ts";
import { shortId } from "../../domain/id.ts";
import { isOver } from "../../domain/states.ts";
import { openCache } from "../cache/cache.ts";
import { ok, problem, type Step, warning } from "../install/step.ts";
import { type KernelRefusal, readKmsg } from "../kernel/kmsg.ts";

/** The handler looks for it in the arguments of a crashed process whose executable is its own. */
const SELF_TEST = "coredump-detector-self-test";

interface SelfTest {
  /** The installed handler. */
  readonly binary: string;
  readonly dumpDir: string;
  readonly waitMs: number;
}

/** Crashes, waits for the record to be finished, judges it, and removes it when all was well. */
export async function selfTest(test: SelfTest): Promise<Step> {
  const since = new Date();
  const crash = await crashOwn(test.binary);
  if ("failed" in crash) return problem("self-test", `no process of ours could be crashed: ${crash.failed}`);
  const end = await endOf(crash.pid, since, test);
  if (!end || "cause" in end) return nothingCame(crash.pid, end?.text, test);
  const verdict = judged(crash.pid, end);
  if (verdict.level !== "ok") return verdict; // what is wrong with it can still be looked at
  const left = await removed(end, test);
  if (left === undefined) return verdict;
  const text = verdict.text.replace(/removed again$/, `not removed: ${left}`);
  return warning("self-test", text, `coredump-detector delete --purge ${shortId(end.id)}`);
}

/** What a process of the self-test does, reached by `doctor --crash-as`: nothing else in it may run. */
export function crashHere(): never {
  process.kill(process.pid, "SIGSEGV");
  process.abort();
}

async function crashOwn(binary: string): Promise<{ readonly pid: number } | { readonly failed: string }> {
  const mark = `${SELF_TEST}-${randomBytes(6).toString("hex")}`;
  const child = spawn(binary, ["doctor", "--crash-as", mark], { stdio: "ignore", cwd: "/", env: {} });
  try {
    const [code, signal] = await once(child, "exit");
    if (signal !== null && child.pid !== undefined) return { pid: child.pid };
    return { failed: `${binary} ended with exit code ${code} instead` };
  } catch (error) {
    return { failed: reasonOf(error) };
  }
}

const POLL_MS = 20;

/** What became of the crash: its record, finished or not; or the kernel's line that it called no handler. */
async function endOf(pid: number, since: Date, test: SelfTest): Promise<DumpRecord | KernelRefusal | undefined> {
  let record: DumpRecord | undefined;
  for (const end = performance.now() + test.waitMs; performance.now() < end; await sleep(POLL_MS)) {
    record = recordOf(pid, since, test.dumpDir);
    if (record && (record.core.sha256 !== null || isOver(record.state))) break;
    const refusal = record ? undefined : refusalOf(pid, since);
    if (refusal) return refusal;
  }
  return record;
}

/** The log's clock and the machine's drift apart. */
const GRACE_MS = 1000;

/** The pid in either namespace: we may be in a container. */
const recordOf = (pid: number, since: Date, dumpDir: string): DumpRecord | undefined =>
  recordsIn(dumpDir).find(
    ({ hostPid, containerPid, dumptime }) =>
      (hostPid === pid || containerPid === pid) && Date.parse(dumptime) >= since.getTime() - GRACE_MS,
  );

const recordsIn = (dumpDir: string): DumpRecord[] => ifPossible(() => openCache(dumpDir).records()) ?? []; // not there yet

const refusalOf = (pid: number, since: Date): KernelRefusal | undefined =>
  ifPossible(() =>
    readKmsg().refusals.findLast(
      (refusal) => [refusal.pid, refusal.hostPid].includes(pid) && refusal.time.getTime() >= since.getTime() - GRACE_MS,
    ),
  );

function judged(pid: number, record: DumpRecord): Step {
  const crashed = `crashed pid ${pid}`;
  const hint = `coredump-detector info ${shortId(record.id)}`;
  if (record.state === "Refused") {
    return problem("self-test", `${crashed}, but its dump was refused: ${record.message ?? record.reason}`, hint);
  }
  if (record.core.complete !== true || record.core.sha256 === null) {
    const why = record.core.truncation ?? `it is still ${record.state}`;
    return problem("self-test", `${crashed}, but its core is not complete: ${why}`, hint);
  }
  const held = record.heldMs === null ? "" : ` in ${(record.heldMs / 1000).toFixed(2)} s`;
  const who = record.owner === "host" ? "host process" : `process of a ${record.owner}`;
  return ok("self-test", `${crashed}, captured complete${held}, identified as ${who}, removed again`);
}

/** The handler may still be at it. @returns why it could not be removed */
async function removed(record: DumpRecord, { dumpDir, waitMs }: SelfTest): Promise<string | undefined> {
  for (const end = performance.now() + waitMs; ; await sleep(POLL_MS)) {
    try {
      const cache = openCache(dumpDir);
      cache.forget(cache.drop(record, "Deleted", "OperatorDeleted"));
      return undefined;
    } catch (error) {
      if (!(error instanceof DumpError && error.code === "DUMP_BUSY" && performance.now() < end))
        return reasonOf(error);
    }
  }
}

function nothingCame(pid: number, said: string | undefined, { dumpDir, waitMs }: SelfTest): Step {
  if (said !== undefined)
    return problem("self-test", `crashed pid ${pid}, but the kernel called no handler: ${said}`, REINSTALL);
  const text = `crashed pid ${pid}, but no dump came to ${dumpDir} within ${waitMs / 1000} s`;
  return problem("self-test", text, "The kernel's log says nothing of it either: see to the problems above");
}

const REINSTALL = "coredump-detector install";
