/** What stopped the kernel in the middle of a dump: asked while the process is still held, when the pipe ended too early. */
import { ProcDirectory, readUpTo, statFields, statusField } from "../../system/proc.ts";

const SIGKILL = 1n << 8n;
const SMALL_BYTES = 4096;

/** Of the process, before the dump: what came meanwhile shows against it. */
interface Before {
  /** Directories of its cgroup, of each hierarchy. */
  readonly cgroups: readonly string[];
  readonly oomKills: number;
  /** Of a container's process other than its first: what its pid namespace is called (`pid:[4026531836]`). */
  readonly otherOf: string | undefined;
}

/** @param cgroup, status  its files in /proc @param pidNamespace  where /proc/P/ns/pid leads */
export function before(
  cgroup: Buffer | undefined,
  status: Buffer | undefined,
  pidNamespace: Buffer | undefined,
  root?: string,
): Before {
  const cgroups = cgroupsIn(cgroup, root);
  const pids = statusField(status, "NSpid")?.split("\t") ?? [];
  const isOther = pids.length > 1 && pids.at(-1) !== "1";
  return { cgroups, oomKills: oomKills(cgroups), otherOf: isOther ? pidNamespace?.toString("latin1") : undefined };
}

/**
 * dump_interrupted() (fs/coredump.c) stops for a fatal signal and for the freezer; nothing tells the handler which.
 * @param thread  the one that dumps
 */
export function stoppedBy(thread: ProcDirectory, was: Before, proc = "/proc"): string | undefined {
  if (was.cgroups.some(isFrozen)) return "its cgroup was frozen (pause, checkpoint)";
  if (!isKilled(thread.read("status"))) return undefined;
  if (oomKills(was.cgroups) > was.oomKills)
    return "the OOM killer ended it while it dumped: its cgroup was out of memory";
  if (was.otherOf !== undefined && !hasFirstProcess(was.otherOf, proc))
    return "SIGKILL came while it dumped: its container's first process had ended, which ends all others";
  return "SIGKILL came while it dumped: its grace period was over, or another process sent it";
}

const MOST_PROCESSES = 1 << 15;
/** Flag of field 9 of /proc/P/stat (PF_EXITING, include/linux/sched.h): set before its end is the end of the namespace. */
const EXITING = 0x4;

/** Whether pid 1 of a pid namespace lives; true where that cannot be known. */
function hasFirstProcess(namespace: string, proc: string): boolean {
  try {
    using all = new ProcDirectory(proc);
    const names = all.list(".", MOST_PROCESSES);
    const pids = names.filter((name) => /^\d+$/.test(name));
    return names.length === MOST_PROCESSES || pids.some((pid) => isFirstOf(namespace, all, pid));
  } catch {
    return true;
  }
}

function isFirstOf(namespace: string, all: ProcDirectory, pid: string): boolean {
  if (all.link(`${pid}/ns/pid`)?.toString("latin1") !== namespace) return false;
  const stat = all.read(`${pid}/stat`);
  const isFirst = statusField(all.read(`${pid}/status`), "NSpid")?.endsWith("\t1") === true;
  return isFirst && stat !== undefined && (Number(statFields(stat)[6]) & EXITING) === 0;
}

/** It waits for us to close the pipe unless it is killed: then it may be gone already, or a zombie. */
const isKilled = (status: Buffer | undefined): boolean =>
  status === undefined ||
  /^[ZX]/.test(statusField(status, "State") ?? "") ||
  ["SigPnd", "ShdPnd"].some((name) => (pending(statusField(status, name)) & SIGKILL) !== 0n);

const pending = (mask: string | undefined): bigint => (/^[0-9a-f]{1,16}$/.test(mask ?? "") ? BigInt(`0x${mask}`) : 0n);

const text = (path: string): string => {
  try {
    return readUpTo(path, SMALL_BYTES).bytes.toString("latin1");
  } catch {
    return ""; // no such hierarchy, or no such controller in it
  }
};

/** v2: ordered here, or all of it is (from above too); v1 knows it of what is above. */
const isFrozen = (directory: string): boolean =>
  /^1/.test(text(`${directory}/cgroup.freeze`)) ||
  /^frozen 1$/m.test(text(`${directory}/cgroup.events`)) ||
  /^FR/.test(text(`${directory}/freezer.state`));

/** How often the OOM killer has ended a process there: memory.events (v2), memory.oom_control (v1, since 4.13). */
const oomKills = (cgroups: readonly string[]): number =>
  cgroups
    .flatMap((directory) => ["memory.events", "memory.oom_control"].map((name) => text(`${directory}/${name}`)))
    .reduce((sum, content) => sum + Number(/^oom_kill (\d{1,15})$/m.exec(content)?.[1] ?? 0), 0);

/** Directories of a process's cgroup where distributions mount the hierarchies that tell something. */
export function cgroupsIn(cgroup: Buffer | undefined, root = "/sys/fs/cgroup"): string[] {
  const lines = (cgroup?.toString("utf8") ?? "").split("\n").map((line) => /^\d+:([^:]*):(\/.*)$/.exec(line));
  return lines.flatMap((line) => {
    const [, controllers = "", path = ""] = line ?? [];
    if (line && controllers === "") return [`${root}${path}`, `${root}/unified${path}`];
    return controllers === "memory" || controllers === "freezer" ? [`${root}/${controllers}${path}`] : [];
  });
}
