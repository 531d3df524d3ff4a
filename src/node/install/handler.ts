/** Puts the executable and its libraries where the kernel will find them. */
import { lstatSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DumpError, errnoOf, reasonOf } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import { type Host, type InstallPlaces, seen } from "./host.ts";
import { record, recordedLibraries } from "./manifest.ts";
import { filesIn, makeDirectory, Replacement, remove, sameContent, settle, stage } from "./put.ts";
import { mountOf, weakSpot } from "./trusted.ts";

/** @throws DumpError NOT_PERMITTED: the kernel would be refused to run a file there, or others could change it */
export function assertGoodPlace(
  places: InstallPlaces,
  host: Host,
  mountinfo = readFileSync("/proc/self/mountinfo", "utf8"),
): void {
  const weak = weakSpotOf(places.binary, host);
  const refuse = (why: string, hint: string) =>
    new DumpError("NOT_PERMITTED", `Cannot install in ${places.binDir}: ${why}`, { hint });
  if (weak !== undefined) {
    throw refuse(
      weak,
      "Who can write there can run as root on this node: choose another --bin-dir, or take the right away",
    );
  }
  const mount = mountOf(seen(host, places.binDir), mountinfo);
  if (mount?.options.includes("noexec")) {
    throw refuse(
      `${mount.mountPoint} is mounted noexec`,
      "Choose a --bin-dir on another mount (GKE COS: below /home/kubernetes/bin)",
    );
  }
}

/** What others than root can change of an executable, or of the libraries beside it, which its RUNPATH leads to. */
export function weakSpotOf(binary: string, host: Host): string | undefined {
  const lib = join(dirname(binary), "lib");
  const paths = [binary, lib, ...filesIn(seen(host, lib)).map((name) => join(lib, name))];
  return paths.map((path) => weakSpot(path, host.root)).find((weak) => weak !== undefined);
}

interface Started {
  readonly version: string;
  readonly startMs: number;
}

/**
 * Copies `source` and the `lib/` beside it. The new executable takes the old one's name only when it has started here.
 * @returns whether anything was new
 * @throws DumpError NOT_PERMITTED, also where a file of others' has a library's name; UNEXPECTED when it does not start here: all is as it was then
 */
export function putHandler(source: string, places: InstallPlaces, host: Host): Started & { changed: boolean } {
  const [binary, lib, ownLib] = [seen(host, places.binary), seen(host, places.lib), join(dirname(source), "lib")];
  if (!lstatSync(source, { throwIfNoEntry: false }))
    throw new DumpError("USAGE", `Cannot install ${source}: no such file`);
  const [wanted, before] = [filesIn(ownLib), recordedLibraries(places, host)];
  assertNotOthers(places, ownLib, before, host);
  const libraries = new Replacement(lib);
  try {
    makeDirectory(dirname(binary));
    record(places, [...new Set([...before, ...wanted])], host);
    for (const name of wanted) libraries.put(join(ownLib, name), name);
    const changed = !sameContent(source, binary);
    const started = changed ? putExecutable(source, places, host) : start(places.binary, host);
    libraries.keep();
    // Only now: a library of another build left there (a libc of its own) would be loaded in place of the host's.
    const stale = before.filter((name) => !wanted.includes(name));
    for (const name of stale) remove(join(lib, name));
    record(places, wanted, host);
    return { ...started, changed: changed || libraries.changed.length + stale.length > 0 };
  } catch (error) {
    libraries.undo();
    if (error instanceof DumpError || !errnoOf(error)) throw error;
    throw new DumpError("NOT_PERMITTED", `Cannot install in ${places.binDir}: ${reasonOf(error)}`, { cause: error });
  }
}

function assertNotOthers(places: InstallPlaces, ownLib: string, ours: readonly string[], host: Host): void {
  const lib = seen(host, places.lib);
  const there = new Set(filesIn(lib));
  const isOthers = (name: string) =>
    there.has(name) && !ours.includes(name) && !sameContent(join(ownLib, name), join(lib, name));
  const others = filesIn(ownLib).find(isOthers);
  if (others === undefined) return;
  throw new DumpError("NOT_PERMITTED", `Cannot install in ${places.binDir}: lib/${others} is not ours`, {
    hint: "Choose another --bin-dir",
  });
}

function putExecutable(source: string, { binary }: InstallPlaces, host: Host): Started {
  const part = stage(source, seen(host, binary), 0o755);
  try {
    const started = start(join(dirname(binary), basename(part)), host); // beside its final place: the same libraries
    settle(part, seen(host, binary));
    return started;
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}

/**
 * Runs it as the kernel would: in the host's `/`, with nothing in its environment.
 * @param binary as the host sees it
 * @throws DumpError UNEXPECTED with what the loader said
 */
export function start(binary: string, host: Host): Started {
  const before = performance.now();
  const { status, signal, error, stdout, stderr } = host.run(binary, ["--version"]);
  if (status === 0) return { version: printable(stdout.trim()), startMs: Math.round(performance.now() - before) };
  const said = printable((stderr ?? "").trim().split("\n")[0] ?? "");
  const why = error ? reasonOf(error) : said || (signal ? `killed by ${signal}` : `exit code ${status}`);
  throw new DumpError("UNEXPECTED", `Cannot start ${binary} on this host: ${why}`, {
    cause: error,
    hint: remedyFor(seen(host, binary)),
  });
}

function remedyFor(binary: string): string {
  const libraries = filesIn(join(dirname(binary), "lib"));
  if (libraries.length === 0) return "Its lib/ belongs beside it: unpack the whole tarball and install from there";
  return libraries.some((name) => name.startsWith("ld-linux"))
    ? "A build with its own C library runs only in the directory it was made for (/coredump, or bin/build's --prefix)"
    : "Take the build that brings its own C library (bin/build --libc=own)";
}
