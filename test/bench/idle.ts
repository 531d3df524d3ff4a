/** What an agent takes that has nothing to do: a node is quiet for most of its life. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { statFields, statusField, TICK_MS } from "../../src/system/proc.ts";
import type { Ours } from "./handlers.ts";
import { crashingPod } from "./node.ts";
import { rounded } from "./pairs.ts";

export interface Idle {
  readonly rssMiB: number;
  readonly maxRssMiB: number;
  /** Of one core. */
  readonly cpuPercent: number;
}

const SETTLE_S = 15;

/** @param seconds for which it is watched, after its start has settled */
export async function idle(seconds: number, ours: Ours, folder: string): Promise<Idle> {
  await using pod = await crashingPod(ours, folder);
  const { pid } = pod.agent;
  await sleep(SETTLE_S * 1000);
  const before = cpuMs(pid);
  await sleep(seconds * 1000);
  const cpuPercent = rounded(((cpuMs(pid) - before) / (seconds * 1000)) * 100);
  return { rssMiB: memoryMiB(pid, "VmRSS"), maxRssMiB: memoryMiB(pid, "VmHWM"), cpuPercent };
}

/** User and system time (proc_pid_stat(5)). */
export function cpuMs(pid: number): number {
  const fields = statFields(readFileSync(`/proc/${pid}/stat`));
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

export function memoryMiB(pid: number, what: "VmRSS" | "VmHWM"): number {
  const kib = Number.parseInt(statusField(readFileSync(`/proc/${pid}/status`), what) ?? "", 10);
  return Math.round(kib / 1024);
}
