/** What the kernel's settings were before us: saved once, for `uninstall`, and for handing host crashes on. */

import { dirname } from "node:path";
import { ifPossible } from "../../domain/failures.ts";
import { readTrusted } from "../../system/trusted-file.ts";
import { ownerOf, programOf, readSetting } from "../kernel/core-pattern.ts";
import { type Host, type InstallPlaces, placesIn, seen } from "./host.ts";
import { putText } from "./put.ts";

/** `install-state.json`. The handler reads `formerPattern` from it where host crashes are passed on (`--host=chain`). */
export interface InstallState {
  readonly formerPattern: string;
  readonly formerPipeLimit: number;
  readonly formerSuidDumpable: number;
  readonly savedAt: string;
}

/** Undefined when there is none that can be believed: it must be root's, and whole. */
export function readState(path: string): InstallState | undefined {
  const state: unknown = ifPossible(() => JSON.parse(readTrusted(path) ?? "null"));
  return isState(state) ? state : undefined;
}

function isState(value: unknown): value is InstallState {
  const state = (value ?? {}) as Partial<Record<keyof InstallState, unknown>>;
  return (
    typeof state.formerPattern === "string" &&
    Buffer.byteLength(state.formerPattern) <= 127 &&
    !/[\n\0]/.test(state.formerPattern) &&
    Number.isSafeInteger(state.formerPipeLimit) &&
    Number.isSafeInteger(state.formerSuidDumpable) &&
    typeof state.savedAt === "string"
  );
}

/**
 * Saves what is set now, unless that was done before or what is set now is ours: an upgrade must not take our own older
 * pattern for the original. Moved from another --bin-dir, what was saved there goes along.
 * @param ownFile  the pattern that is ours in file mode
 * @returns what is known of the time before us; undefined when nothing is
 */
export function rememberFormer(
  places: InstallPlaces,
  ownFile: string | undefined,
  host: Host,
  now: Date,
): InstallState | undefined {
  const known = readState(seen(host, places.state));
  if (known) return known;
  const current = readSetting("pattern", host.procSys);
  const isOurs = current === ownFile || ownerOf(current, places.binary) === "ours";
  const state = isOurs ? inherited(current, host) : stateNow(current, host, now);
  if (state) putText(seen(host, places.state), `${JSON.stringify(state, null, 2)}\n`);
  return state;
}

const stateNow = (formerPattern: string, host: Host, now: Date): InstallState => ({
  formerPattern,
  formerPipeLimit: Number(readSetting("pipeLimit", host.procSys)),
  formerSuidDumpable: Number(readSetting("suidDumpable", host.procSys)),
  savedAt: now.toISOString(),
});

function inherited(pattern: string, host: Host): InstallState | undefined {
  const program = programOf(pattern);
  return program === undefined ? undefined : readState(seen(host, placesIn(dirname(program)).state));
}
