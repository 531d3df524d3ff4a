/** Whether a setting of the kernel keeps root from reading other processes' memory. */
import { readFileSync } from "node:fs";
import { errnoOf, ifPossible } from "../domain/failures.ts";

/** Yama's strictest mode (Documentation/admin-guide/LSM/Yama.rst): no process may attach to another, until the next boot. */
const NO_ATTACH = "3";

/** The setting in words; undefined where none forbids it. */
export function ptraceForbidden(procSys = "/proc/sys"): string | undefined {
  const scope = ifPossible(() => readFileSync(`${procSys}/kernel/yama/ptrace_scope`, "latin1")); // none without Yama
  return scope?.trim() === NO_ATTACH
    ? "kernel.yama.ptrace_scope is 3: not even root may read a process's memory"
    : undefined;
}

/** Why an open of /proc/P/mem was refused, where it is known; undefined for any other failure. */
export function refusedRead(error: unknown, procSys?: string): string | undefined {
  if (!["EACCES", "EPERM"].includes(errnoOf(error) ?? "")) return undefined;
  return ptraceForbidden(procSys) ?? "a security module of the kernel forbids reading its memory";
}
