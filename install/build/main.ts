/** bin/build: sources → bundle → executable → libraries → tarball. */
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempDisposableSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join, relative } from "node:path";
import { DumpError, FAILURES, type FailureCode } from "../../src/domain/failures.ts";
import { type Bundle, bundle, versionOf } from "./bundle.ts";
import { assemble, EXECUTABLE } from "./executable.ts";
import { copyLibraries, fetchPackages } from "./libraries.ts";
import { noticesOf } from "./notices.ts";
import { pack } from "./tarball.ts";
import { HELP, ROOT, type Target, tarballName, targetFrom, variantOf } from "./target.ts";
import { ensureTools } from "./tools.ts";

/** Files that the program reads at run time, by the name it asks for: `sea.getAsset("containerd/api.proto")`. */
const ASSETS = ["containerd/*.proto", "install/crd/*.yaml", "etcd/*.proto", "systemd/**/*"];

const NOTICES = "THIRD-PARTY-NOTICES.txt";
/** Starts the executable also where the host's C library cannot. */
const INSTALLER = "install.sh";
/** Under which kubectl finds the executable: as its plugin, and for completion. */
const LINKS = ["kubectl-coredump", "kubectl_complete-coredump"];

/** Builds `target` and returns the executable's path. */
export async function build(target: Target): Promise<string> {
  ensureTools({ patchelf: "patchelf", "eu-strip": "elfutils" });
  const version = versionOf();
  const bundled = await bundle(target.main, version.full);
  const assets = assetsByName();
  const debian = fetchPackages(target);
  const folder = join(target.out, variantOf(target));
  const executable = join(folder, EXECUTABLE);
  const tarball = join(target.out, tarballName(target, version.release));
  const inputs = fingerprint(target, bundled, Object.values(assets), debian);
  if (isUpToDate(folder, inputs, [executable, tarball])) return executable;

  using work = workFolder(folder);
  assemble(target, bundled, assets, work.path);
  copyLibraries(target, debian, join(work.path, "lib"));
  writeFileSync(join(work.path, NOTICES), noticesOf(bundled.packages, debian));
  cpSync(join(ROOT, "install", INSTALLER), join(work.path, INSTALLER));
  for (const link of LINKS) symlinkSync(EXECUTABLE, join(work.path, link));
  const packed = [EXECUTABLE, ...LINKS, "lib", NOTICES, INSTALLER];
  await pack(work.path, packed, basename(tarball, ".tar.gz"), join(work.path, "tarball"));
  publish(work.path, folder, tarball, inputs);
  return executable;
}

/** An empty folder on the file system of the products, so that they can be renamed; what killed builds left goes away. */
function workFolder(folder: string): { readonly path: string } & Disposable {
  mkdirSync(folder, { recursive: true });
  for (const name of globSync(".build-*", { cwd: folder }))
    if (!existsSync(join("/proc", name.split("-")[1] ?? ""))) rmSync(join(folder, name), { recursive: true });
  return mkdtempDisposableSync(join(folder, `.build-${process.pid}-`));
}

function assetsByName(): Record<string, string> {
  const names = ASSETS.flatMap((pattern) => globSync(pattern, { cwd: ROOT, withFileTypes: true }));
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(files.sort().map((file) => [relative(ROOT, file), file]));
}

/** A digest of all that decides what comes out. */
function fingerprint(target: Target, bundled: Bundle, assets: readonly string[], debian: readonly string[]): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([target, process.version, bundled, debian.map((each) => basename(each))]));
  for (const file of [
    ...assets,
    join(ROOT, "install", INSTALLER),
    ...globSync(join(import.meta.dirname, "*.ts")).sort(),
  ])
    hash.update(file).update(readFileSync(file));
  return hash.digest("hex");
}

const stampOf = (folder: string): string => join(folder, ".inputs");

function isUpToDate(folder: string, inputs: string, products: readonly string[]): boolean {
  const stamp = stampOf(folder);
  return products.every((file) => existsSync(file)) && existsSync(stamp) && readFileSync(stamp, "utf8") === inputs;
}

/** Renames, never in place: a handler that runs keeps its old file, and two builds at once do not mix. */
function publish(work: string, folder: string, tarball: string, inputs: string): void {
  rmSync(stampOf(folder), { force: true });
  mkdirSync(join(folder, "lib"), { recursive: true });
  for (const file of globSync("lib/*", { cwd: work })) renameSync(join(work, file), join(folder, file));
  for (const file of [NOTICES, EXECUTABLE, ...LINKS]) renameSync(join(work, file), join(folder, file));
  renameSync(join(work, "tarball"), tarball);
  writeFileSync(stampOf(folder), inputs);
}

if (import.meta.main) {
  try {
    const target = targetFrom(process.argv.slice(2));
    if (target === undefined) process.stdout.write(HELP);
    else console.log(relative(process.cwd(), await build(target)));
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    console.error(`error: ${error.message}${error.hint === undefined ? "" : `\nhint: ${error.hint}`}`);
    process.exitCode = FAILURES[error.code as FailureCode].exitCode;
  }
}
