/** Node and the bundle become one ELF file. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DumpError } from "../../src/domain/failures.ts";
import type { Bundle } from "./bundle.ts";
import { cacheOf, writeCodeCache } from "./scripts.ts";
import { type Arch, MACHINES, ROOT, type Target } from "./target.ts";
import { run } from "./tools.ts";

export const EXECUTABLE = "coredump-detector";

/**
 * Writes `<work>/coredump-detector`. The order is forced: stripping or patching in another order breaks the file.
 * The same input gives the same bytes: V8's hash seed, part of what it caches, is fixed, and no path of this machine goes in.
 */
export function assemble(
  target: Target,
  { code, scripts }: Bundle,
  assets: Readonly<Record<string, string>>,
  work: string,
): void {
  copyFileSync(nodeFor(target.arch), join(work, "node"));
  chmodSync(join(work, "node"), 0o755);
  run("eu-strip", ["node"], { cwd: work }); // 33 MB of symbols; those that code can ask for stay
  writeFileSync(join(work, "bundle.cjs"), code);
  writeFileSync(
    join(work, "sea.json"),
    JSON.stringify(seaConfiguration(target.arch, { ...assets, ...written(scripts, target, work) })),
  );
  run(process.execPath, ["--random-seed=1", "--build-sea", "sea.json"], { cwd: work });
  run("patchelf", [...searchPath(target), EXECUTABLE], { cwd: work });
  for (const scrap of [
    "node",
    "bundle.cjs",
    "sea.json",
    ...Object.keys(scripts).flatMap((name) => [name, cacheOf(name)]),
  ])
    rmSync(join(work, scrap), { force: true });
}

/** The second scripts and their code caches as files, by the names they are asked for. */
function written(scripts: Bundle["scripts"], { arch }: Target, work: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const [name, code] of Object.entries(scripts)) {
    writeFileSync(join(work, name), code);
    files[name] = name;
    if (arch !== process.arch) continue;
    writeCodeCache(name, work);
    files[cacheOf(name)] = cacheOf(name);
  }
  return files;
}

/** Arguments and environment of whoever starts the program must not become Node's: it runs as root, called by the kernel. */
function seaConfiguration(arch: Arch, assets: Readonly<Record<string, string>>): object {
  return {
    main: "bundle.cjs",
    executable: "node",
    output: EXECUTABLE,
    disableExperimentalSEAWarning: true,
    useCodeCache: arch === process.arch, // V8's cache is for the machine that made it
    execArgv: ["--disable-warning=ExperimentalWarning", "--disable-sigusr1"], // SIGUSR1 would open a debugger's port
    execArgvExtension: "none",
    assets,
  };
}

/** DT_RPATH, not RUNPATH: our libraries also when LD_LIBRARY_PATH names others, and for what libraries need in turn. */
function searchPath({ libc, prefix, arch }: Target): string[] {
  if (libc === "host") return ["--force-rpath", "--set-rpath", "$ORIGIN/lib"];
  const lib = join(prefix, "lib");
  return ["--force-rpath", "--set-rpath", lib, "--set-interpreter", join(lib, MACHINES[arch].loader)];
}

/** The pinned Node for `arch`: the one that runs this, or npm's package for the other machine, checked against the lock file. */
function nodeFor(arch: Arch): string {
  if (arch === process.arch) return process.execPath;
  const name = `node-linux-${arch}`;
  const { version, integrity } = lockedPackage(name);
  const folder = join(ROOT, ".cache/node", `${name}-${version}`);
  const node = join(folder, "package/bin/node");
  if (existsSync(node)) return node;
  const part = `${folder}.${process.pid}.part`;
  mkdirSync(part, { recursive: true });
  const [packed] = JSON.parse(run("npm", ["pack", "--json", `${name}@${version}`], { cwd: part }));
  if (packed?.integrity !== integrity)
    throw new DumpError("UNEXPECTED", `Cannot use ${name} ${version}: it is not what package-lock.json names`);
  run("tar", ["-xzf", packed.filename, "package/bin/node", "package/LICENSE"], { cwd: part });
  rmSync(join(part, packed.filename));
  rmSync(folder, { recursive: true, force: true });
  renameSync(part, folder);
  return node;
}

function lockedPackage(name: string): { version: string; integrity: string } {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  return lock.packages[`node_modules/${name}`];
}
