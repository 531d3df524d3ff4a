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
import { type Cache, openCache } from "../cache/cache.ts";
import type { DumpRecord } from "../domain/dump.ts";
import { reasonOf } from "../domain/failures.ts";
import { ok, problem, type Step, warning } from "../install/step.ts";
import { readKmsg } from "../kernel/kmsg.ts";

/** The handler looks for it in the arguments of a crashed process whose executable is its own. */
export const SELF_TEST = "coredump-detector-self-test";

export interface SelfTest {
  /** The installed handler. */
  readonly binary: string;
  readonly dumpDir: string;
  readonly waitMs: number;
}

/** Crashes, waits for the record to be finished, judges and removes it. */
export async function selfTest(test: SelfTest): Promise<Step> {
  const since = new Date();
  const crash = await crashOwn(test.binary);
  if ("failed" in crash) return problem("self-test", `no process of ours could be crashed: ${crash.failed}`);
  const record = await recordOf(crash.pid, since, test);
  if (!record) return nothingCame(crash.pid, since, test);
  const verdict = judged(crash.pid, record);
  try {
    removed(openCache(test.dumpDir), record);
    return verdict;
  } catch (error) {
    return warning(
      "self-test",
      `${verdict.text}; its dump stays: ${reasonOf(error)}`,
      `coredump-detector delete --purge ${record.id}`,
    );
  }
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

const FINISHED: ReadonlySet<DumpRecord["state"]> = new Set(["Captured", "Restricted", "Refused", "Created"]);
const POLL_MS = 20;

/** The pid in either namespace: we may be in a container. A Capturing record is waited for. */
async function recordOf(pid: number, since: Date, { dumpDir, waitMs }: SelfTest): Promise<DumpRecord | undefined> {
  let found: DumpRecord | undefined;
  for (const end = performance.now() + waitMs; performance.now() < end; await sleep(POLL_MS)) {
    found = recordsIn(dumpDir).find(
      (record) =>
        (record.hostPid === pid || record.containerPid === pid) &&
        Date.parse(record.dumptime) >= since.getTime() - 1000,
    );
    if (found && FINISHED.has(found.state) && (found.core.sha256 !== null || found.state === "Refused")) break;
  }
  return found;
}

function recordsIn(dumpDir: string): DumpRecord[] {
  try {
    return openCache(dumpDir).records();
  } catch {
    return []; // not there yet
  }
}

function judged(pid: number, record: DumpRecord): Step {
  const crashed = `crashed pid ${pid}`;
  if (record.state === "Refused") {
    return problem("self-test", `${crashed}, but its dump was refused: ${record.message ?? record.reason}`);
  }
  if (record.core.complete !== true || record.core.sha256 === null) {
    const why = record.core.truncation ?? `it is still ${record.state}`;
    return problem(
      "self-test",
      `${crashed}, but its core is not complete: ${why}`,
      `coredump-detector info ${record.id}`,
    );
  }
  const held = record.heldMs === null ? "" : ` in ${(record.heldMs / 1000).toFixed(2)} s`;
  const who = record.owner === "host" ? "host process" : `process of a ${record.owner}`;
  return ok("self-test", `${crashed}, captured complete${held}, identified as ${who}, removed again`);
}

function removed(cache: Cache, record: DumpRecord): void {
  cache.forget(record.state === "Refused" ? record : cache.drop(record, "Deleted", "OperatorDeleted"));
}

function nothingCame(pid: number, since: Date, { dumpDir, waitMs }: SelfTest): Step {
  const text = `crashed pid ${pid}, but no dump came to ${dumpDir} within ${waitMs / 1000} s`;
  const said = kernelSays(since);
  return problem(
    "self-test",
    said ? `${text}: ${said}` : text,
    said ? undefined : "The kernel's log says nothing of it either: see to the problems above",
  );
}

function kernelSays(since: Date): string | undefined {
  try {
    // A second's grace: the log's clock drifts.
    return readKmsg().refusals.findLast(({ time }) => time.getTime() >= since.getTime() - 1000)?.text;
  } catch {
    return undefined;
  }
}
