/**
 * The kernel's call: one crash becomes one record and, if it may be kept, one core.
 *
 * Statically this imports no npm package; what is needed after the release of the process is loaded there. Nothing that
 * fails on the way stops the copy, and nothing that can wait holds the process.
 */
import { readFileSync } from "node:fs";
import type { DumpRecord } from "../../domain/dump.ts";
import { DumpError, FAILURES, reasonOf } from "../../domain/failures.ts";
import { textOf } from "../../domain/text.ts";
import { AT_ONCE_BYTES } from "../../node/cache/abandoned.ts";
import { beginEntry } from "../../node/cache/begin.ts";
import { openCache } from "../../node/cache/cache.ts";
import { readRecord, writeRecord } from "../../node/cache/record.ts";
import type { Entry } from "../../node/cache/spool.ts";
import { type Copied, copyCore } from "../../node/capture/copying.ts";
import { explainLater } from "../../node/capture/explaining.ts";
import { finish } from "../../node/capture/finishing.ts";
import { observe, type Scene } from "../../node/capture/observing.ts";
import { type Refusal, refuse, refusedUnseen } from "../../node/capture/refusing.ts";
import type { World } from "../../node/capture/world.ts";
import type { KernelCall } from "../../node/kernel/arguments.ts";
import { CorePipe } from "../../node/kernel/pipe.ts";
import { logLine } from "../../system/log.ts";

/** Tests put a copy whose read hangs in its place, and an end that is none. */
export interface HandlerParts {
  readonly copy: typeof copyCore;
  readonly endHard: () => unknown;
}

/** A read that never returns keeps exit(3) waiting: the last thing that we do. */
const endHard = (): unknown => process.kill(process.pid, "SIGKILL");

/** @returns the exit code; the kernel does not look at it, replay and tests do */
export async function handle(
  kernelCall: KernelCall,
  world: World,
  warnings: readonly string[] = [],
  parts: HandlerParts = { copy: copyCore, endHard },
): Promise<number> {
  const pipe = new CorePipe(world.stdin);
  try {
    using scene = observe(kernelCall, world, warnings);
    const { stalled } = await record(scene, pipe, world, parts.copy);
    const taker = await world.handOver?.(scene.record.id); // its lock is free again
    await tidy(world, taker === "agent").catch(() => undefined); // others' dumps: the next handler tries again
    if (stalled) parts.endHard();
    return 0;
  } catch (error) {
    return lost(error, kernelCall.call.hostPid, world);
  } finally {
    pipe.release();
  }
}

/** From the moment that a record exists, whatever goes wrong is noted there. @returns whether a read of memory still hangs */
async function record(
  scene: Scene,
  pipe: CorePipe,
  world: World,
  copy: typeof copyCore,
): Promise<{ readonly stalled: boolean }> {
  using open = beginEntry(world.settings.dumpDir, scene.record);
  try {
    const end = (await refusedUnseen(scene, world, pipe)) ?? (await copy(scene, open, pipe, world));
    pipe.release();
    world.released?.();
    const record = isRefusal(end) ? await refuse(open, scene.record, end) : await finish(open, end, world);
    logLine(world.settings.logDir, "info", summary(record));
    return { stalled: end.explaining?.stalled || (!isRefusal(end) && end.received.stalled) };
  } catch (error) {
    tell(open.entry, error);
    throw error;
  }
}

/** As many records as a node keeps of dumps that it does not hold. */
const MOST_RECORDS = 2000;

/** Long cores that killed handlers left are the agent's to finish; without an agent ours, because our process is released. */
async function tidy({ settings, inBackground }: World, hasAgent: boolean): Promise<void> {
  const cache = openCache(settings.dumpDir, { explain: explainLater(settings.crash) });
  cache.forgetBeyond(MOST_RECORDS); // first: a dump that cannot be finished, or moved, must not keep the limit from holding
  const later = await cache.finishAbandoned({ mostBytes: AT_ONCE_BYTES }).finally(() => cache.endSettled(new Date()));
  if (later.length === 0 || hasAgent) return;
  inBackground?.();
  await cache.finishAbandoned();
}

/** A record that is not sealed stays Capturing: the next process that opens the cache keeps what arrived; this says what went wrong. */
function tell(entry: Entry, error: unknown): void {
  const record = readRecord(entry);
  if (!record) return;
  try {
    writeRecord(entry, { ...record, warnings: [...record.warnings, `the handler failed: ${reasonOf(error)}`] });
  } catch {
    // Ignorable: the kernel's log gets the same.
  }
}

const isRefusal = (end: Refusal | Copied): end is Refusal => "reason" in end;

/** No record could be kept, or not to its end: the kernel's log is the last place to say so; `doctor` and the agent read it there. */
function lost(error: unknown, pid: number, { proc, settings, kernelLog }: World): number {
  const text = `lost dump of pid ${pid} (${textOf(commOf(proc, pid))}): ${reasonOf(error)}`;
  kernelLog(text);
  const isVerbose = settings.verbosity >= 10 && error instanceof Error;
  logLine(settings.logDir, "error", isVerbose ? `${text}\n${error.stack}` : text);
  const { code } = error instanceof DumpError ? (error as DumpError) : ({ code: "UNEXPECTED" } as const);
  return FAILURES[code].exitCode;
}

function commOf(proc: string, pid: number): Buffer {
  try {
    return readFileSync(`${proc}/${pid}/comm`).subarray(0, -1);
  } catch {
    return Buffer.from("unknown");
  }
}

const summary = ({ state, id, executable, hostPid, message, heldMs }: DumpRecord): string =>
  `${state} ${id}: ${executable} (pid ${hostPid}), held ${heldMs ?? 0} ms${message ? `, ${message}` : ""}`;
