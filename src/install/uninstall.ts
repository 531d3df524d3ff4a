/**
 * `uninstall`: the node as it was. The pattern goes before the file that it points to; dumps stay unless they are
 * purged, because what was not stored yet is nowhere else.
 */
import { existsSync, rmdirSync } from "node:fs";
import { basename } from "node:path";
import { leaveDumps } from "./dumps.ts";
import { type Host, placesIn, seen } from "./host.ts";
import { inForce, locked } from "./install.ts";
import { giveBack } from "./kernel-settings.ts";
import { remove } from "./put.ts";
import { readState } from "./state.ts";
import { ok, type Step } from "./step.ts";
import { removeUnits } from "./units.ts";

export interface UninstallOrder {
  readonly binDir: string;
  /** Where the dumps are, if not where settings.json says. */
  readonly dumpDir?: string | undefined;
  /** Dumps too. */
  readonly purge: boolean;
}

/** Run again, it finds nothing to do. @throws DumpError NOT_PERMITTED; what was done until then is said by running it again */
export async function uninstall(order: UninstallOrder, host: Host): Promise<Step[]> {
  const places = placesIn(order.binDir);
  const { dumpDir: dumpDirSet, filePattern } = inForce(places, host);
  const dumpDir = order.dumpDir ?? dumpDirSet;
  const boot = removeUnits(host); // first: a reboot in between must not bring a pattern without a file
  if (!existsSync(seen(host, places.binDir))) {
    const kernel = giveBack(places, undefined, undefined, host);
    return [
      ...(boot ? [boot] : []),
      ...kernel,
      ok("handler", `nothing in ${places.binDir}`),
      ...leaveDumps(dumpDir, order.purge, host),
    ];
  }
  using _lock = await locked(places, host);
  const kernel = giveBack(places, filePattern, readState(seen(host, places.state)), host);
  const gone = [places.binary, places.lib, places.settings, places.state].filter((path) => remove(seen(host, path)));
  for (const path of [...places.leftovers, places.lock]) remove(seen(host, path));
  removeIfEmpty(seen(host, places.binDir));
  const names = gone.map((path) => basename(path)).join(", ");
  const text = gone.length > 0 ? `${names} removed from ${places.binDir}` : `nothing in ${places.binDir}`;
  return [...(boot ? [boot] : []), ...kernel, ok("handler", text), ...leaveDumps(dumpDir, order.purge, host)];
}

/** What else lies there (logs, a kubeconfig) is not ours to remove. */
function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // not empty, or a mount point
  }
}
