/**
 * `installed.json`: the files that we put into a directory, so that an upgrade and `uninstall` remove these and no others. It is
 * written before the first of them, so an install that was killed has recorded what it left.
 */

import { lstatSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ifPossible } from "../../domain/failures.ts";
import { readTrusted } from "../../system/trusted-file.ts";
import { programOf, readPattern } from "../kernel/core-pattern.ts";
import { type Host, type InstallPlaces, seen } from "./host.ts";
import { putText } from "./put.ts";
import { isSettings } from "./settings-file.ts";
import { readState } from "./state.ts";

/** A path below the directory: one of its own files, or one in lib/. */
const RELATIVE = /^(?:lib\/)?[\w.+-]+$/;

/** What lies there whatever the build: names as in `installed.json`. */
const always = ({ binary, settings, state, manifest }: InstallPlaces): string[] =>
  [binary, settings, state, manifest].map((path) => basename(path));

/**
 * What ours had in lib/ before there was a record of it (install/build/libraries.ts, with a C library of its own or without).
 */
const FORMER_LIBRARIES = [
  ...["libstdc++.so.6", "libgcc_s.so.1", "libatomic.so.1"],
  ...["libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"],
];

/** @param libraries  names in lib/ */
export function record(places: InstallPlaces, libraries: readonly string[], host: Host): void {
  const isOthers = (name: string) => name === basename(places.settings) && !hasOurSettings(places, host);
  const own = always(places).filter((name) => !isOthers(name));
  const files = [...own, ...libraries.map((name) => `lib/${name}`)].sort();
  putText(seen(host, places.manifest), `${JSON.stringify({ version: 1, files }, null, 2)}\n`);
}

/** Whether settings.json may be written: it is not there, or ours. */
const hasOurSettings = (places: InstallPlaces, host: Host): boolean =>
  !isThere(seen(host, places.settings)) ||
  isSettings(seen(host, places.settings)) ||
  recorded(places, host).includes(basename(places.settings));

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/** Ours in that directory, as paths below it; none where we never installed. */
export function recorded(places: InstallPlaces, host: Host): string[] {
  return listed(seen(host, places.manifest)) ?? former(places, host);
}

/** Names in lib/ that are ours. */
export const recordedLibraries = (places: InstallPlaces, host: Host): string[] =>
  recorded(places, host)
    .filter((path) => path.startsWith("lib/"))
    .map((path) => basename(path));

function listed(path: string): string[] | undefined {
  const files = ifPossible(() => (JSON.parse(readTrusted(path) ?? "{}") as { files?: unknown }).files);
  const isList = Array.isArray(files) && files.every((name) => typeof name === "string" && RELATIVE.test(name));
  return isList ? files.filter((name) => ![".", ".."].includes(basename(name))) : undefined;
}

/** An installation of a version that kept no record: the kernel calls it, or it had saved what was there before. */
function former(places: InstallPlaces, host: Host): string[] {
  const isFile = (path: string) => lstatSync(seen(host, path), { throwIfNoEntry: false })?.isFile() === true;
  const hasState = readState(seen(host, places.state)) !== undefined;
  if (!hasState && programOf(readPattern(host.procSys)) !== places.binary) return [];
  const libraries = FORMER_LIBRARIES.filter((name) => isFile(join(places.lib, name)));
  return [
    ...(isFile(places.binary) ? [basename(places.binary)] : []),
    ...(hasState ? [basename(places.state)] : []),
    ...(isSettings(seen(host, places.settings)) ? [basename(places.settings)] : []),
    ...libraries.map((name) => `lib/${name}`),
  ];
}

/** What an install that was killed may have left of a file. */
export const leftoversOf = (path: string): string[] => [
  join(dirname(path), `.${basename(path)}.new`),
  join(dirname(path), `.${basename(path)}.old`),
  `${path}.part`,
];
