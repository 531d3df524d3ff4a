/**
 * What keeps the pattern ours over a reboot, on hosts with systemd. `systemd/` in the repository holds these files for
 * the default places; a test compares them.
 */

import { existsSync, lstatSync, readFileSync, symlinkSync } from "node:fs";
import { dirname } from "node:path";
import { ifPossible } from "../../domain/failures.ts";
import { type Host, type InstallPlaces, seen } from "./host.ts";
import { PIPE_LIMIT, SUID_DUMPABLE } from "./kernel-settings.ts";
import { makeDirectory, putText, remove } from "./put.ts";
import { ok, type Step, warning } from "./step.ts";

export const UNIT = "/etc/systemd/system/coredump-detector.service";
export const ENABLED = "/etc/systemd/system/multi-user.target.wants/coredump-detector.service";
/**
 * Files are read in the order of their names, whatever their directory, and the last word counts: systemd's own is
 * 50-coredump.conf, and "50-coredump-detector" would sort before it.
 */
export const SYSCTL = "/etc/sysctl.d/99-coredump-detector.conf";
export const TMPFILES = "/etc/tmpfiles.d/coredump-detector.conf";

const HEADER = "# Written by `coredump-detector install`; `coredump-detector uninstall` removes it.\n";

/** The files by the path that they are installed under. */
export function unitFiles(places: InstallPlaces, pattern: string, dumpDir: string): Readonly<Record<string, string>> {
  return {
    [SYSCTL]: `${HEADER}${pattern.startsWith("|") ? pipeSettings(pattern) : `kernel.core_pattern = ${pattern}\n`}`,
    [TMPFILES]: `${HEADER}# Cores hold memory: root's alone. No age: the cache has limits of its own.
d ${word(dumpDir)} 0700 root root -
`,
    [UNIT]: `${HEADER}# Others set the pattern at boot too (apport, abrt, systemd's own sysctl.d file): this comes after them.
[Unit]
Description=Hand core dumps to coredump-detector
After=local-fs.target systemd-sysctl.service apport.service abrt-ccpp.service
Before=kubelet.service containerd.service crio.service docker.service
RequiresMountsFor=${places.binDir} ${word(dumpDir)}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=${bootCommand(places)}

[Install]
WantedBy=multi-user.target
`,
  };
}

const pipeSettings = (
  pattern: string,
): string => `# In this order: the kernel wants a safe pattern before fs.suid_dumpable.
kernel.core_pipe_limit = ${PIPE_LIMIT}
kernel.core_pattern = ${pattern}
fs.suid_dumpable = ${SUID_DUMPABLE}
`;

/** A path as one word of a unit or of tmpfiles.d, where `%` begins a specifier. */
const word = (path: string): string => {
  const text = path.replaceAll("%", "%%");
  return /^[\w/.%+-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
};

/** What has to run after each boot. */
export const bootCommand = ({ binary, binDir }: InstallPlaces): string =>
  `${binary} install --pattern-only --bin-dir ${binDir}`;

/** Whether systemd runs there (sd_booted(3)). */
export const hasSystemd = (host: Host): boolean => existsSync(seen(host, "/run/systemd/system"));

/** Puts the files down and enables the unit; on a host without systemd says what that means. */
export function putUnits(places: InstallPlaces, pattern: string, dumpDir: string, host: Host): Step {
  if (!hasSystemd(host)) {
    const hint = `Run at boot: ${bootCommand(places)}`;
    return warning("boot", "no systemd here: the pattern must be set again after a reboot", hint);
  }
  let changed = false;
  for (const [path, text] of Object.entries(unitFiles(places, pattern, dumpDir))) {
    changed = putText(seen(host, path), text) || changed;
  }
  const link = seen(host, ENABLED);
  if (!lstatSync(link, { throwIfNoEntry: false })) {
    makeDirectory(dirname(link));
    symlinkSync(UNIT, link); // what `systemctl enable` does, also where systemd cannot be asked
    changed = true;
  }
  if (!changed) return ok("boot", "coredump-detector.service, sysctl.d and tmpfiles.d   unchanged");
  return reloaded(host, "coredump-detector.service enabled, sysctl.d and tmpfiles.d written");
}

/** Those that we wrote, unless they are for an installation elsewhere. @returns undefined when there were none */
export function removeUnits(places: InstallPlaces, host: Host): Step | undefined {
  if (isElsewhere(places, host)) return undefined;
  const gone = [UNIT, SYSCTL, TMPFILES].map((path) => isOurs(seen(host, path)) && remove(seen(host, path)));
  if (gone[0]) remove(seen(host, ENABLED));
  if (!gone.includes(true)) return undefined;
  const text = "coredump-detector.service, sysctl.d and tmpfiles.d removed";
  return hasSystemd(host) ? reloaded(host, text) : ok("boot", text);
}

const isOurs = (path: string): boolean => textIn(path)?.startsWith(HEADER) === true;

/** Whether the unit starts an executable that is there, and is not the one at hand. */
function isElsewhere({ binary }: InstallPlaces, host: Host): boolean {
  const started = /^ExecStart=(\S+)/m.exec(textIn(seen(host, UNIT)) ?? "")?.[1];
  return started !== undefined && started !== binary && existsSync(seen(host, started));
}

const textIn = (path: string): string | undefined => ifPossible(() => readFileSync(path, "utf8"));

function reloaded(host: Host, text: string): Step {
  if (host.root === "" && host.run("systemctl", ["daemon-reload"]).status === 0) return ok("boot", text);
  return warning("boot", `${text}, but systemd was not told`, "systemctl daemon-reload");
}
