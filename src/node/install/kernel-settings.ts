/**
 * Takes the kernel's settings over, and gives them back.
 *
 * Order: `suid_dumpable` 2 only while a handler is set (the kernel warns of anything else, since a relative core file
 * of a set-uid process is an attack), so it comes last here and first there.
 */
import { ownerOf, programOf, readSetting, type Setting, writeSetting } from "../kernel/core-pattern.ts";
import type { Host, InstallPlaces } from "./host.ts";
import type { InstallState } from "./state.ts";
import { ok, type Step, warning } from "./step.ts";

/** N > 0: the kernel keeps the crashed process until we close the pipe. Above `--max-dumps`, so that ours is the limit met. */
export const PIPE_LIMIT = 64;
/** Processes that changed their ids are dumped as well, readable by root alone. */
export const SUID_DUMPABLE = 2;

/** What the kernel has when nothing was set. */
const KERNEL_DEFAULTS = { formerPattern: "core", formerPipeLimit: 0, formerSuidDumpable: 0 };

/**
 * Sets limit, pattern, suid_dumpable. A larger limit than ours is an admin's choice and stays.
 * @param passesOn whether the handler will hand host crashes on to a former handler
 */
export function takeOver(pattern: string, state: InstallState | undefined, passesOn: boolean, host: Host): Step[] {
  const pipe = change("pipeLimit", host, (now) => (Number(now) >= PIPE_LIMIT ? now : `${PIPE_LIMIT}`));
  let former: Change;
  try {
    former = change("pattern", host, () => pattern);
  } catch (error) {
    change("pipeLimit", host, () => pipe.from);
    throw error;
  }
  const suid = change("suidDumpable", host, () => `${SUID_DUMPABLE}`);
  const limits = `core_pipe_limit ${arrow(pipe)}, suid_dumpable ${arrow(suid)}`;
  return [
    ok("pattern", `${shortened(pattern)}${wasText(pattern, former.from, state, passesOn)}`),
    ok("limits", limits),
  ];
}

/** File mode: the pattern alone, the limits as they were before us, `suid_dumpable` first. */
export function leaveToKernel(filePattern: string, state: InstallState | undefined, host: Host): Step[] {
  const former = state ?? KERNEL_DEFAULTS;
  const suid = restore("suidDumpable", `${SUID_DUMPABLE}`, `${former.formerSuidDumpable}`, host);
  const { from } = change("pattern", host, () => filePattern);
  const pipe = restore("pipeLimit", `${PIPE_LIMIT}`, `${former.formerPipeLimit}`, host);
  const text = "no core is captured, named or stored: the kernel writes files, where RLIMIT_CORE lets it";
  return [
    ok("pattern", `${filePattern}${wasText(filePattern, from, state, false)}`),
    ok("limits", `core_pipe_limit ${pipe}, suid_dumpable ${suid}`),
    warning("mode", text, "docs/operations.md, File mode"),
  ];
}

interface Change {
  readonly from: string;
  readonly to: string;
}

function change(setting: Setting, host: Host, next: (now: string) => string): Change {
  const from = readSetting(setting, host.procSys);
  const to = next(from);
  if (to !== from) writeSetting(setting, to, host.procSys);
  return { from, to };
}

const arrow = ({ from, to }: Change): string => (from === to ? `${to} (unchanged)` : `${from} → ${to}`);

/** The two ends of a pattern of ours: its middle says nothing to people. */
const shortened = (pattern: string): string => pattern.replace(/( -p=\S+) .* (\S+)$/, "$1 … $2");

function wasText(pattern: string, former: string, state: InstallState | undefined, passesOn: boolean): string {
  if (former === pattern) return "   unchanged";
  if (ownerOf(former) === "ours") return "   was: an older one of ours";
  const passedOn = passesOn && former.startsWith("|") ? "; host crashes are passed on to it" : "";
  const saved =
    state?.formerPattern === former ? `saved${passedOn}` : "not saved: uninstall restores the one before that";
  return `   was: ${former} (${saved})`;
}

/**
 * Gives back what is still ours. What another handler took over stays as it is, its limits too.
 * @param ownFile  the pattern that is ours in file mode
 * @returns what was restored and what was left alone
 */
export function giveBack(
  places: InstallPlaces,
  ownFile: string | undefined,
  state: InstallState | undefined,
  host: Host,
): Step[] {
  const former = state ?? KERNEL_DEFAULTS;
  const pattern = readSetting("pattern", host.procSys);
  const ours = programOf(pattern) === places.binary || pattern === ownFile;
  // Nothing was saved and nothing is set: whatever the limits are, we did not make them so.
  if (!ours && !state) return [ok("pattern", `${pattern} is not ours: left alone`)];
  if (!ours && ["|", "@"].includes(pattern[0] ?? "")) {
    const text = `${pattern} has taken over: it and the limits are left alone`;
    return [warning("pattern", text, `Before us they were: ${valuesOf(former)}`)];
  }
  const suid = restore("suidDumpable", `${SUID_DUMPABLE}`, `${former.formerSuidDumpable}`, host);
  const patternText = ours
    ? `restored to ${former.formerPattern}${state ? "" : " (nothing was saved)"}`
    : `${pattern} is not ours: left alone`;
  if (ours) writeSetting("pattern", former.formerPattern, host.procSys);
  const pipe = restore("pipeLimit", `${PIPE_LIMIT}`, `${former.formerPipeLimit}`, host);
  return [ok("pattern", patternText), ok("limits", `core_pipe_limit ${pipe}, suid_dumpable ${suid}`)];
}

const valuesOf = (former: typeof KERNEL_DEFAULTS): string =>
  `core_pattern ${former.formerPattern}, core_pipe_limit ${former.formerPipeLimit}, suid_dumpable ${former.formerSuidDumpable}`;

/** @returns in words what became of it */
function restore(setting: Setting, ours: string, former: string, host: Host): string {
  const now = readSetting(setting, host.procSys);
  if (now !== ours) return `${now} (not ours: left alone)`;
  if (now !== former) writeSetting(setting, former, host.procSys);
  return now === former ? `${now} (as it was)` : `${now} → ${former}`;
}
