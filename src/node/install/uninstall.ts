/**
 * `uninstall`: the node as it was. The pattern goes before the file that it points to; dumps stay unless they are
 * purged, because what was not stored yet is nowhere else.
 */

import { lstatSync, rmdirSync } from "node:fs";
import { basename, join } from "node:path";
import { NODE_OPTIONS } from "../../config/options.ts";
import { ifPossible } from "../../domain/failures.ts";
import { leaveDumps } from "./dumps.ts";
import { type Host, type InstallPlaces, placesIn, seen } from "./host.ts";
import { inForce, locked } from "./install.ts";
import { giveBack } from "./kernel-settings.ts";
import { leftoversOf, recorded } from "./manifest.ts";
import { placesOf } from "./place.ts";
import { remove } from "./put.ts";
import { readState } from "./state.ts";
import { ok, type Step } from "./step.ts";
import { removeUnits } from "./units.ts";

interface UninstallOrder {
  readonly binDir: string;
  /** Where the dumps are, if not where settings.json says. */
  readonly dumpDir?: string | undefined;
  /** Dumps too. */
  readonly purge: boolean;
}

/** Run again, it finds nothing to do. @throws DumpError NOT_PERMITTED; what was done until then is said by running it again */
export async function uninstall(order: UninstallOrder, host: Host): Promise<Step[]> {
  const places = placesOf(order.binDir, host);
  const isThere = recorded(places, host).length > 0;
  const { dumpDir: dumpDirSet, filePattern } = isThere ? inForce(places, host) : NOTHING_SET;
  const dumpDir = order.dumpDir ?? dumpDirSet;
  const boot = removeUnits(places, host); // first: a reboot in between must not bring a pattern without a file
  using _lock = isThere ? await locked(places, host) : undefined;
  const state = isThere ? readState(seen(host, places.state)) : undefined;
  const kernel = giveBack(places, filePattern, state, host);
  const gone = isThere ? removeFiles(places, host) : [];
  const names = gone.map((path) => basename(path)).join(", ");
  const text = gone.length > 0 ? `${names} removed from ${places.binDir}` : `nothing of ours in ${places.binDir}`;
  return [...(boot ? [boot] : []), ...kernel, ok("handler", text), ...leaveDumps(dumpDir, order.purge, host)];
}

const NOTHING_SET = { dumpDir: NODE_OPTIONS.dumpDir.default, filePattern: undefined };

/** The recorded files, the record last. @returns those that were there */
function removeFiles(places: InstallPlaces, host: Host): string[] {
  const inOrder = recorded(places, host).toSorted((a, b) => Number(a === RECORD) - Number(b === RECORD));
  const gone = inOrder.filter((name) => {
    const path = seen(host, join(places.binDir, name));
    for (const leftover of leftoversOf(path)) remove(leftover);
    return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === false && remove(path); // we put down files
  });
  removeIfEmpty(seen(host, places.lib));
  remove(seen(host, places.lock));
  removeIfEmpty(seen(host, places.binDir));
  return gone.filter((name) => name !== RECORD);
}

const RECORD = basename(placesIn("/").manifest);

/** What else lies there (logs, a kubeconfig) is not ours to remove. */
const removeIfEmpty = (directory: string): void => ifPossible(() => rmdirSync(directory)); // or a mount point
