/**
 * The kernel's call: one crash becomes one record and, if it may be kept, one core.
 *
 * Statically this imports no npm package; what is needed behind the release of the process is loaded there. Nothing that
 * fails on the way stops the copy, and nothing that can wait holds the process.
 */
import { beginEntry, type OpenEntry } from "../cache/begin.ts";
import type { HandlerSettings } from "../config/options.ts";
import type { DumpRecord } from "../domain/dump.ts";
import { DumpError, FAILURES, reasonOf } from "../domain/failures.ts";
import type { Identification } from "../identity/runtime.ts";
import type { KernelCall } from "../kernel/arguments.ts";
import { type CrashedProcess, openCrashedProcess } from "../kernel/crashed-process.ts";
import { CorePipe } from "../kernel/pipe.ts";
import { kernelLog, logLine } from "../system/log.ts";
import { type Copied, copyCore } from "./copying.ts";
import { draftRecord } from "./draft.ts";
import { finish } from "./finishing.ts";
import { type Refusal, refuse, refusedUnseen } from "./refusing.ts";

/** What the handler finds around it; a replay brings its own. */
export interface World {
  readonly proc: string;
  /** The read end of the kernel's pipe. */
  readonly stdin: number;
  readonly settings: HandlerSettings;
  readonly node: string;
  /** Of this very program, to know its own self-test. */
  readonly executable: string;
  /** The core_pattern that was there before ours, when it was a pipe handler's. */
  readonly formerHandler: string | undefined;
  readonly identify: {
    quickly(cgroup: Buffer, settings: HandlerSettings): Identification;
    byApi(
      quick: Identification,
      cgroup: Buffer,
      settings: HandlerSettings,
      signal: AbortSignal,
    ): Promise<Identification>;
  };
}

/** What is known of the crash before the first byte. */
export interface Scene {
  readonly kernelCall: KernelCall;
  readonly process: CrashedProcess | undefined;
  readonly quick: Identification;
  readonly record: DumpRecord;
}

/** @returns the exit code; the kernel does not look at it, replay and tests do */
export async function handle(kernelCall: KernelCall, world: World, warnings: readonly string[] = []): Promise<number> {
  const pipe = new CorePipe(world.stdin);
  const scene = observe(kernelCall, world, warnings);
  try {
    using open = beginEntry(world.settings.dumpDir, scene.record);
    const end = await take(scene, open, pipe, world);
    using _process = scene.process;
    const { record, stalled } = isRefusal(end)
      ? { record: refuse(open, scene.record, end), stalled: false }
      : { record: await finish(open, scene, end, world), stalled: end.received.stalled };
    logLine(world.settings.logDir, summary(record));
    if (stalled) process.kill(process.pid, "SIGKILL"); // a read that never returns would keep exit(3) waiting
    return 0;
  } catch (error) {
    return lost(error, scene.record, world);
  } finally {
    pipe.release();
  }
}

/** The part during which the process is held. */
async function take(scene: Scene, open: OpenEntry, pipe: CorePipe, world: World): Promise<Refusal | Copied> {
  try {
    return (await refusedUnseen(scene, world)) ?? (await copyCore(scene, open, pipe, world));
  } finally {
    pipe.release();
  }
}

const isRefusal = (end: Refusal | Copied): end is Refusal => "reason" in end;

function observe(kernelCall: KernelCall, world: World, warnings: readonly string[]): Scene {
  const [process, gone] = attempt(() => openCrashedProcess(kernelCall.call, world.settings.environ, world.proc));
  const cgroup = process?.facts.get("cgroup");
  const [known, failed] = attempt(() => (cgroup ? world.identify.quickly(cgroup, world.settings) : undefined));
  const quick = known ?? nobody(gone ?? failed ?? "the process's cgroup cannot be read");
  const record = draftRecord(kernelCall, process, quick, world.node, [...warnings, ...(gone ? [gone] : [])]);
  return { kernelCall, process, quick, record };
}

function attempt<T>(act: () => T): [T | undefined, string | undefined] {
  try {
    return [act(), undefined];
  } catch (error) {
    return [undefined, reasonOf(error)];
  }
}

const nobody = (problem: string): Identification => ({
  owner: "unknown",
  container: null,
  pod: null,
  identity: { source: "none", confirmed: false, problem, cgroup: null },
  labels: null,
  logPath: null,
  documents: {},
});

/** No record could be kept: the kernel's log is the last place to say so; `doctor` and the agent read it there. */
function lost(error: unknown, record: DumpRecord, { settings }: World): number {
  const text = `lost dump of pid ${record.hostPid} (${record.executable}): ${reasonOf(error)}`;
  kernelLog(text);
  logLine(settings.logDir, settings.verbosity >= 10 && error instanceof Error ? `${text}\n${error.stack}` : text);
  const { code } = error instanceof DumpError ? (error as DumpError) : ({ code: "UNEXPECTED" } as const);
  return FAILURES[code].exitCode;
}

const summary = ({ state, id, executable, hostPid, message, heldMs }: DumpRecord): string =>
  `${state} ${id}: ${executable} (pid ${hostPid}), held ${heldMs ?? 0} ms${message ? `, ${message}` : ""}`;
