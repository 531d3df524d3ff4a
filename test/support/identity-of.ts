import { readFileSync } from "node:fs";

/** Pid and start time (clock ticks after boot) as `testbed reap` compares them: tells a process from a later one of its pid. */
export function identityOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const afterComm = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return `${pid} ${afterComm[19]}\n`;
}
