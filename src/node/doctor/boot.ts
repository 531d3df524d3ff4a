/** Who has the last word on the kernel's settings at boot (sysctl.d(5)). */

import type { InstallPlaces } from "../install/host.ts";
import { ok, type Step, warning } from "../install/step.ts";
import { bootCommand } from "../install/units.ts";
import { ownerOf } from "../kernel/core-pattern.ts";

export interface BootReading {
  readonly systemd: boolean;
  readonly unitEnabled: boolean;
  /** All sysctl.d files, of all directories, those of higher precedence first. */
  readonly sysctls: readonly SysctlFile[];
}

export interface SysctlFile {
  readonly path: string;
  readonly text: string;
}

/** What a key is set to in the end, and where. */
interface LastWord {
  readonly value: string;
  readonly path: string;
}

/** Directories by precedence: a file hides those of its name in later ones. */
export const SYSCTL_DIRECTORIES = [
  "/etc/sysctl.d",
  "/run/sysctl.d",
  "/usr/local/lib/sysctl.d",
  "/usr/lib/sysctl.d",
  "/lib/sysctl.d",
];

/** Files apply in the order of their names, whatever their directory; the last one that sets the key wins. */
export function lastWord(files: readonly SysctlFile[], key: string): LastWord | undefined {
  const byName = new Map<string, SysctlFile>();
  for (const file of files) {
    const name = file.path.slice(file.path.lastIndexOf("/") + 1);
    if (!byName.has(name)) byName.set(name, file);
  }
  let last: LastWord | undefined;
  for (const [, { path, text }] of [...byName].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const line of text.split("\n")) {
      const [, name = "", value = ""] = /^\s*-?([^#;=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      if (name.replaceAll("/", ".") === key) last = { value, path };
    }
  }
  return last;
}

export function checkBoot({ systemd, unitEnabled, sysctls }: BootReading, places: InstallPlaces): Step {
  if (!systemd) {
    const hint = `Run at boot: ${bootCommand(places)}`;
    return warning("boot", "no systemd here: after a reboot the pattern must be set again", hint);
  }
  const pattern = lastWord(sysctls, "kernel.core_pattern");
  const ours = pattern && ownerOf(pattern.value, places.binary) === "ours";
  const other =
    pattern && !ours ? `${pattern.path} sets core_pattern to ${pattern.value}` : "no sysctl.d file sets ours";
  if (!unitEnabled) {
    if (ours)
      return warning(
        "boot",
        `set by ${pattern.path}, but coredump-detector.service is not enabled`,
        "coredump-detector install",
      );
    return warning("boot", `after a reboot the pattern is not ours: ${other}`, "coredump-detector install");
  }
  if (ours) return ok("boot", `coredump-detector.service enabled, ${pattern.path}`);
  const hint =
    "The unit sets it again at boot, but `sysctl --system` takes it away: remove that line, or run coredump-detector install";
  return warning("boot", `coredump-detector.service enabled, but ${other}`, hint);
}
