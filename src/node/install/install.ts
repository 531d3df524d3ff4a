/**
 * `install`: the handler in its place, the kernel calling it, and both so after a reboot.
 *
 * At no moment does a pattern point to a missing file: files first, the pattern after them. Run again, it changes
 * nothing; run from a newer build, it upgrades, while handlers run.
 */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { isSea } from "node:sea";
import { type HandlerSettings, NODE_OPTIONS } from "../../config/options.ts";
import { loadSettings } from "../../config/settings.ts";
import { DumpError } from "../../domain/failures.ts";
import { FileLock } from "../../system/lock.ts";
import { patternFor } from "../kernel/core-pattern.ts";
import { assertGoodFilePattern, DUMP_DIR_APART, filePatternOf, isInCache } from "./file-mode.ts";
import { assertGoodPlace, putHandler, start } from "./handler.ts";
import { type Host, type InstallPlaces, seen } from "./host.ts";
import { leaveToKernel, takeOver } from "./kernel-settings.ts";
import { record, recordedLibraries } from "./manifest.ts";
import { placesFor } from "./place.ts";
import { makeDirectory } from "./put.ts";
import { mergeSettings, type settingsForFile } from "./settings-file.ts";
import { type InstallState, rememberFormer } from "./state.ts";
import { ok, type Step, warning } from "./step.ts";
import { putUnits } from "./units.ts";

export interface InstallOrder {
  readonly binDir: string;
  /** The executable to copy, its `lib/` beside it; without one, the program that runs. */
  readonly from?: string | undefined;
  readonly settings: ReturnType<typeof settingsForFile>;
  /** Whether these are all of them: an agent's release says them all. Default: they are added to those that are there. */
  readonly settingsAreAll?: boolean;
  /** At boot: the files are there, only the kernel has forgotten. */
  readonly patternOnly: boolean;
  /** Whether the host's systemd is to set the pattern at boot; an agent does it by itself. Default: yes. */
  readonly atBoot?: boolean;
}

/** @throws DumpError NOT_PERMITTED, PATTERN_REFUSED, SETTINGS_INVALID, UNEXPECTED; whatever came before the failure is safe */
export async function install(order: InstallOrder, host: Host, now: Date): Promise<Step[]> {
  const places = placesFor(order.binDir, host);
  const pipePattern = patternFor(places.binary, host.kernelRelease);
  assertGoodPlace(places, host);
  if (order.patternOnly) return applyPattern(places, pipePattern, host, now);

  const source = order.from ?? thisExecutable();
  const given = withCacheApart(order.settings, places, host);
  makeBinDir(places, host);
  using _lock = await locked(places, host);
  const state = rememberFormer(places, ownFile(places, host), host, now);
  const handler = putHandler(source, places, host);
  const settings = mergeSettings(seen(host, places.settings), given, order.settingsAreAll);
  record(places, recordedLibraries(places, host), host); // by now settings.json may have become ours
  const { dumpDir, filePattern, problems } = inForce(places, host);
  const boot = order.atBoot === false ? [] : [putUnits(places, filePattern ?? pipePattern, dumpDir, host)];
  const kernel = setKernel(pipePattern, places, state, host);
  return [
    ok(
      "handler",
      `${places.binary} ${handler.version} (starts here in ${handler.startMs} ms)${handler.changed ? "" : "   unchanged"}`,
    ),
    ...kernel,
    ...(settings.changed.length > 0 ? [ok("settings", settings.changed.join(", "))] : []),
    ...(settings.takenAway.length > 0 ? [takenAway(settings.takenAway)] : []),
    ...problems.map((problem) => warning("settings", problem)),
    ...boot,
  ];
}

const takenAway = (settings: readonly string[]): Step =>
  warning(
    "settings",
    `${settings.join(", ")} taken away: the agent no longer has them among its options, which are all the settings of a node`,
    "Put what the node needs among the agent's own options (chart: agent.options)",
  );

function applyPattern(places: InstallPlaces, pattern: string, host: Host, now: Date): Step[] {
  if (!existsSync(seen(host, places.binary))) {
    const hint = `Run ${dirname(process.execPath)}/coredump-detector install, or uninstall to take the rest away`;
    throw new DumpError("UNEXPECTED", `Cannot set the pattern: ${places.binary} is not there`, { hint });
  }
  start(places.binary, host); // rather no handler than one that cannot be loaded: it would lose every core without a word
  return setKernel(pattern, places, rememberFormer(places, ownFile(places, host), host, now), host);
}

function setKernel(pipePattern: string, places: InstallPlaces, state: InstallState | undefined, host: Host): Step[] {
  const { filePattern, passesOn } = inForce(places, host);
  if (filePattern !== undefined) return leaveToKernel(filePattern, state, host);
  return takeOver(pipePattern, state, passesOn, host);
}

const ownFile = (places: InstallPlaces, host: Host): string | undefined => inForce(places, host).filePattern;

/**
 * In file mode the directory of the files is not a place for the cache: where none was given, the cache goes elsewhere.
 * @throws DumpError PATTERN_REFUSED, SETTINGS_INVALID, before anything is changed
 */
function withCacheApart(given: InstallOrder["settings"], places: InstallPlaces, host: Host): InstallOrder["settings"] {
  const flags = new Map([...given].map(([flag, value]) => [flag, `${value ?? ""}`]));
  const settings = inForce(places, host, flags).settings;
  if (filePatternOf(settings) === undefined) return given;
  const isDefault = !flags.get(NODE_OPTIONS.dumpDir.flag) && settings.dumpDir === NODE_OPTIONS.dumpDir.default;
  const apart = isDefault && isInCache(settings) ? DUMP_DIR_APART : settings.dumpDir;
  assertGoodFilePattern({ ...settings, dumpDir: apart });
  return apart === settings.dumpDir ? given : new Map([...given, [NODE_OPTIONS.dumpDir.flag, apart]]);
}

function thisExecutable(): string {
  if (isSea()) return process.execPath;
  throw new DumpError("USAGE", "Cannot install from a checkout: there is no executable", {
    hint: "Build one with bin/build, then pass --from dist/coredump-detector",
  });
}

function makeBinDir(places: InstallPlaces, host: Host): void {
  try {
    makeDirectory(seen(host, places.binDir));
  } catch (error) {
    throw new DumpError("NOT_PERMITTED", `Cannot make ${places.binDir}: ${(error as Error).message}`, {
      cause: error,
      hint: "Run it as root; on a read-only root file system choose a --bin-dir that can be written",
    });
  }
}

const LOCK_WAIT_MS = 10_000;

/** @throws DumpError NOT_PERMITTED when the directory cannot be written, DUMP_BUSY while another one is at it */
export async function locked(places: InstallPlaces, host: Host): Promise<Disposable> {
  let lock: FileLock | undefined;
  try {
    lock = await FileLock.within(seen(host, places.lock), LOCK_WAIT_MS);
  } catch (error) {
    const hint = "Run it as root; on a read-only file system choose a --bin-dir that can be written";
    throw new DumpError("NOT_PERMITTED", `Cannot write in ${places.binDir}: ${(error as Error).message}`, {
      cause: error,
      hint,
    });
  }
  if (lock) return lock;
  throw new DumpError("DUMP_BUSY", `Cannot change ${places.binDir}: another install or uninstall is running`);
}

interface InForce {
  readonly settings: HandlerSettings;
  readonly dumpDir: string;
  readonly passesOn: boolean;
  /** In file mode, the core_pattern. */
  readonly filePattern: string | undefined;
  readonly problems: readonly string[];
}

/**
 * What the handler will go by, and what is wrong with its settings.json.
 * @param flags  what is about to be written there
 */
export function inForce(places: InstallPlaces, host: Host, flags: ReadonlyMap<string, string> = new Map()): InForce {
  const problems: string[] = [];
  const settings = loadSettings(seen(host, places.settings), flags, (problem) => problems.push(problem));
  const passesOn = (settings.host ?? "chain") === "chain";
  return { settings, dumpDir: settings.dumpDir, passesOn, filePattern: filePatternOf(settings), problems };
}
