/**
 * Whether a process is the host's own. Not its cgroup decides that, because only some engines put an id there (LXC, Incus,
 * nspawn, `ctr run`, BuildKit, Garden do not), but what pid 1 has: its pid and mount namespace, and its root. A service of
 * systemd's may have mounts of its own (PrivateTmp=, ProtectSystem=); it is the host's as long as its unit is its whole cgroup.
 */

import { readlinkSync } from "node:fs";
import { ifPossible } from "../../domain/failures.ts";
import { statusField } from "../../system/proc.ts";
import { ownCgroup, unitIn } from "./cgroup.ts";

export interface HostPlace {
  readonly isHost: boolean;
  /** Its cgroup in one path: a unit's, or what a container's engine made. */
  readonly cgroup: string | null;
}

/** PROC_PID_INIT_INO and PROC_USER_INIT_INO (include/linux/proc_ns.h): the same on every kernel since 3.8. */
const INITIAL_PID = "pid:[4026531836]";
const INITIAL_USER = "user:[4026531837]";

/**
 * @param facts   raw content of /proc/P by name; links hold their target
 * @param mounts  the initial mount namespace as links name it; undefined where it is not known (a recorded crash)
 */
export function placeOf(facts: ReadonlyMap<string, Buffer>, mounts: readonly string[] | undefined): HostPlace {
  const cgroup = facts.get("cgroup") ?? Buffer.alloc(0);
  return { isHost: isHost(facts, unitIn(cgroup), mounts), cgroup: ownCgroup(cgroup) };
}

function isHost(facts: ReadonlyMap<string, Buffer>, unit: string | null, mounts?: readonly string[]): boolean {
  const link = (name: string): string | undefined => facts.get(name)?.toString("latin1");
  const pids = statusField(facts.get("status"), "NSpid")?.split(/\s+/) ?? [];
  if (pids.length > 1 || link("ns/pid") !== INITIAL_PID || (link("root") ?? "/") !== "/") return false;
  if (mounts === undefined || mounts.includes(link("ns/mnt") ?? "")) return true;
  return link("ns/user") === INITIAL_USER && unit !== null && OF_SYSTEMD.test(unit);
}

/**
 * Units that systemd starts itself. A scope is made for processes of others, so outside of users' sessions it may be a
 * container's; what lies below a service is what that service made of its cgroup.
 */
const OF_SYSTEMD =
  /^\/$|^\/init\.scope$|^(\/[^/]+\.slice)*\/[^/]+\.service$|^\/user\.slice\/(.+\/)?[^/]+\.(service|scope)$/;

/** The handler is run in the kernel's own namespace, which is pid 1's unless that has left it. */
export const initialMounts = (): string[] =>
  ["self", "1"].flatMap((pid) => ifPossible(() => readlinkSync(`/proc/${pid}/ns/mnt`)) ?? []);
