/** What stopped the kernel in the middle of a dump: asked while the process is still held, when the pipe ended too early. */
import { type ProcDirectory, readUpTo, statusField } from "../system/proc.ts";

const SIGKILL = 1n << 8n;
const SMALL_BYTES = 4096;

/**
 * dump_interrupted() (fs/coredump.c) stops for a fatal signal and for the freezer; nothing tells the handler which.
 * @param thread  the one that dumps
 * @param cgroups  directories of its cgroup, of each hierarchy: cgroupsIn()
 * @param killsBefore  oomKills() of them before the dump
 */
export function stoppedBy(thread: ProcDirectory, cgroups: readonly string[], killsBefore: number): string | undefined {
  if (cgroups.some(isFrozen)) return "its cgroup was frozen (pause, checkpoint)";
  if (!isKilled(thread.read("status"))) return undefined;
  if (oomKills(cgroups) > killsBefore) return "the OOM killer ended it while it dumped: its cgroup was out of memory";
  return "SIGKILL came while it dumped: its container's first process had ended, its grace period was over, or somebody sent it";
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

/** cgroup v2 says so in cgroup.events, v1 in freezer.state. */
const isFrozen = (directory: string): boolean =>
  /^frozen 1$/m.test(text(`${directory}/cgroup.events`)) || /^FR/.test(text(`${directory}/freezer.state`));

/** How often the OOM killer has ended a process there: memory.events (v2), memory.oom_control (v1, since 4.13). */
export const oomKills = (cgroups: readonly string[]): number =>
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
