/**
 * Where our files go below the directory that was named: into it when it is ours or empty, else into a folder of our own name
 * in it. Nothing of others' is ever replaced, removed, or loaded in place of ours.
 */
import { lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DumpError } from "../../domain/failures.ts";
import { BINARY_NAME, programOf, readPattern } from "../kernel/core-pattern.ts";
import { DEFAULT_BIN_DIR, type Host, type InstallPlaces, placesIn, seen } from "./host.ts";
import { recorded } from "./manifest.ts";

const candidates = (binDir: string): [there: InstallPlaces, below: InstallPlaces] => [
  placesIn(binDir),
  placesIn(join(binDir, BINARY_NAME)),
];

/** @throws DumpError NOT_PERMITTED when also the folder of our name holds what is not ours */
export function placesFor(binDir: string, host: Host): InstallPlaces {
  const places = candidates(binDir).find((each) => isFree(each, host));
  if (places) return places;
  throw new DumpError("NOT_PERMITTED", `Cannot install in ${binDir}/${BINARY_NAME}: what is there is not ours`, {
    hint: "Choose another --bin-dir, or remove what is in the way",
  });
}

/** Where an installation is that was made with this --bin-dir; undefined when there is none. */
const installedIn = (binDir: string, host: Host): InstallPlaces | undefined =>
  candidates(binDir).find((places) => recorded(places, host).length > 0);

/** The same, or where the kernel's pattern points to (its files may be gone), or where the next one would be. */
export function placesOf(binDir: string, host: Host): InstallPlaces {
  const program = programOf(readPattern(host.procSys));
  const [there, below] = candidates(binDir);
  return installedIn(binDir, host) ?? (program === below.binary ? below : there);
}

/**
 * The default is ours by its name: a kubeconfig or logs of earlier versions lie there. So is where our executable lies: a
 * predecessor's place, or an unpacked tarball.
 */
function isFree(places: InstallPlaces, host: Host): boolean {
  const { binDir, binary, lock } = places;
  const found = statSync(seen(host, binDir), { throwIfNoEntry: false });
  if (!found) return true;
  if (!found.isDirectory()) return false;
  const others = readdirSync(seen(host, binDir)).filter((name) => join(binDir, name) !== lock);
  const hasProgram = lstatSync(seen(host, binary), { throwIfNoEntry: false })?.isFile() === true;
  return others.length === 0 || binDir === DEFAULT_BIN_DIR || hasProgram || recorded(places, host).length > 0;
}
