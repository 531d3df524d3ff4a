/** What is known of a crash before the first byte of its core: the kernel's arguments, /proc, the run-time's state files. */
import { readFileSync, statSync } from "node:fs";
import { blankRecord, type DumpRecord } from "../../domain/dump.ts";
import { reasonOf } from "../../domain/failures.ts";
import { newDumpId } from "../../domain/id.ts";
import { textOf } from "../../domain/text.ts";
import { startTicks, statusField, TICK_MS } from "../../system/proc.ts";
import { signalOf } from "../cache/examine.ts";
import type { Identification } from "../identity/runtime.ts";
import type { KernelCall } from "../kernel/arguments.ts";
import { type CrashedProcess, openCrashedProcess } from "../kernel/crashed-process.ts";
import { leftOut } from "../kernel/filter.ts";
import { statOfExecutable } from "../kernel/local-files.ts";
import { type Own, whoseProgram } from "./own.ts";
import type { World } from "./world.ts";

export interface Scene extends Disposable {
  readonly kernelCall: KernelCall;
  /** Undefined when /proc/P was gone, or could not be the crashed process's. */
  readonly process: CrashedProcess | undefined;
  readonly quick: Identification;
  readonly record: DumpRecord;
  /** Whether it is a process of this very program. */
  readonly program: Own;
}

/** Looks at all there is; never throws, because no look is worth a core. */
export function observe(kernelCall: KernelCall, world: World, warnings: readonly string[]): Scene {
  const [process, gone] = attempt(() => openCrashedProcess(kernelCall.call, world.settings.environ, world.proc));
  const facts = process?.facts;
  const [known, failed] = attempt(() => facts?.has("cgroup") && world.identify.quickly(facts, world.settings));
  const quick = known || nobody(gone ?? failed ?? "the process's cgroup cannot be read");
  const program = whoseProgram(process, world.executable);
  const odd = process ? [...process.cut, leftOut(process.facts.get("coredump_filter")), replacedFile(process)] : [gone];
  const problems = [...warnings, ...odd.filter((problem) => problem !== undefined)];
  const record = restrictedIf(program === "own", draftRecord(kernelCall, process, quick, world, problems));
  return { kernelCall, process, quick, record, program, [Symbol.dispose]: () => process?.[Symbol.dispose]() };
}

const restrictedIf = (isOwn: boolean, record: DumpRecord): DumpRecord =>
  isOwn ? { ...record, dumpable: 2, warnings: [...record.warnings, OWN] } : record;

const OWN = "a process of coredump-detector itself: its memory may hold keys, so it is root's alone";

/** The same, when what was looked at turned out not to be the process whose core came. @param why  in words */
export function disowned(scene: Scene, world: World, why: string): Scene {
  const quick = nobody(why);
  const drafted = draftRecord(scene.kernelCall, undefined, quick, world, []);
  const { id, dumptime, updated, warnings } = scene.record;
  const record = { ...drafted, id, dumptime, updated, warnings: [...warnings, why] };
  return { ...scene, process: undefined, quick, record, program: "another's" };
}

/**
 * The kernel marks an executable that has no name any more, but a file may be called so too: only one without links is gone.
 */
function replacedFile(process: CrashedProcess): string | undefined {
  if (!process.facts.get("exe")?.toString("latin1").endsWith(" (deleted)")) return undefined;
  const [file] = attempt(() => statOfExecutable(process));
  return file && file.nlink > 0n
    ? undefined
    : "its executable was replaced or deleted while it ran: what is at its path now is another file";
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

function draftRecord(
  { call, problems }: KernelCall,
  process: CrashedProcess | undefined,
  identification: Identification,
  { node, proc }: World,
  warnings: readonly string[],
): DumpRecord {
  const time = dumpTime(call.time);
  const facts = process?.facts;
  const exe = fact(facts?.get("exe"))?.replace(/ \(deleted\)$/, "");
  const comm = fact(facts?.get("comm"))?.replace(/\n$/, "");
  return {
    ...blankRecord(newDumpId(time.getTime()), time, node),
    hostPid: call.hostPid,
    hostTid: call.hostTid ?? null,
    containerPid: call.containerPid ?? nsPid(facts?.get("status")) ?? null,
    executable: exe?.split("/").at(-1) || comm || call.threadName || "unknown",
    exe: exe ?? null,
    comm: comm ?? null,
    threadName: call.threadName ?? null,
    signal: call.signal === undefined ? null : signalOf(call.signal),
    processUid: call.uid ?? firstId(facts?.get("status"), "Uid"),
    processGid: call.gid ?? firstId(facts?.get("status"), "Gid"),
    dumpable: process ? strictest(call.dumpable, process, proc) : (call.dumpable ?? null),
    coreLimit: call.coreLimit || null,
    uptimeMs: uptimeMs(facts?.get("stat"), proc),
    hostname: process?.hostname ?? null,
    warnings: [...problems, ...warnings],
    ...ownerOf(identification),
  };
}

/** The record's part that identification fills in. */
export const ownerOf = ({ owner, container, pod, identity }: Identification) => ({ owner, container, pod, identity });

/** No date lies beyond (ECMA-262, TimeClip). */
const LAST_SECOND = 8_640_000_000_000;

/**
 * The kernel's %t has seconds only; our own start has milliseconds. Where they disagree (a clock that was set, a call
 * that is being replayed) the kernel's word counts, if it is a date.
 */
function dumpTime(seconds: number | undefined): Date {
  const started = performance.timeOrigin;
  const ours = seconds === undefined || seconds > LAST_SECOND || Math.abs(started / 1000 - seconds - 0.5) < 2;
  return new Date(ours ? started : seconds * 1000);
}

const fact = (bytes: Buffer | undefined): string | undefined => bytes && textOf(bytes);

const firstId = (status: Buffer | undefined, name: string): number | null => {
  const id = Number(statusField(status, name)?.split("\t")[0] ?? Number.NaN);
  return Number.isSafeInteger(id) ? id : null;
};

const nsPid = (status: Buffer | undefined): number | undefined => {
  const pid = Number(statusField(status, "NSpid")?.split("\t").at(-1) ?? Number.NaN);
  return Number.isSafeInteger(pid) ? pid : undefined;
};

function uptimeMs(stat: Buffer | undefined, proc: string): number | null {
  const ticks = startTicks(stat);
  const [uptime] = attempt(() => readFileSync(`${proc}/uptime`, "latin1"));
  if (ticks === undefined || uptime === undefined) return null;
  return Math.max(0, Math.round(Number.parseFloat(uptime) * 1000 - ticks * TICK_MS));
}

/**
 * %d and what /proc shows, whichever is stricter: the pid may have been reused. The kernel gives /proc/P to root when the
 * process is not dumpable (proc(5)), which shows where its effective user is another. Without %d (the predecessor's pattern)
 * a set-uid program that root runs on has ids that differ. In doubt 2: its memory is root's alone.
 */
function strictest(told: number | undefined, { main, facts }: CrashedProcess, proc: string): number {
  if (told !== undefined && (told !== 1 || proc !== "/proc")) return told; // a recorded file is whose it is
  const ids = ["Uid", "Gid"].map((name) => statusField(facts.get("status"), name)?.split("\t") ?? []);
  const [owner] = attempt(() => statSync(main.path("status")).uid); // ESRCH when it has gone meanwhile
  if (owner === undefined) return told ?? 2;
  const changed = told === undefined && ids.some((four) => new Set(four).size !== 1);
  return changed || String(owner) !== ids[0]?.[1] ? 2 : 1;
}
