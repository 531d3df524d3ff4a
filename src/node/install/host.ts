/** The machine that install, uninstall and doctor work on. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { release } from "node:os";
import { join } from "node:path";
import { isSea } from "node:sea";
import { ROOT } from "../../system/asset.ts";
import { BINARY_NAME } from "../kernel/core-pattern.ts";

export interface Host {
  /** Where its root directory is seen: "" on the host itself. No pattern, unit or setting ever carries it. */
  readonly root: string;
  readonly procSys: string;
  readonly kernelRelease: string;
  /** Runs a program of the host in the host's root, with nothing in its environment and `/` as its directory. */
  run(
    program: string,
    args: readonly string[],
  ): Pick<SpawnSyncReturns<string>, "status" | "signal" | "stdout" | "stderr" | "error">;
}

export const thisHost = (): Host => ({
  root: "",
  procSys: "/proc/sys",
  kernelRelease: release(),
  run: runHere,
});

/** A host whose root is mounted in our container: `/` of the host's mount namespace, its /proc below it. */
export const mountedHost = (root: string): Host => ({
  root,
  procSys: join(root, "proc/sys"),
  kernelRelease: release(),
  run: (program, args) =>
    runHere(process.execPath, [...(isSea() ? [] : [MAIN]), IN_ROOT, root, "--", program, ...args]),
});

/** The verb by which we run a program in another root directory (chroot(2)): nothing in a small image could do it for us. */
export const IN_ROOT = "in-root";
const MAIN = join(ROOT, "src/main.ts");

function runHere(program: string, args: readonly string[]) {
  return spawnSync(program, args, { env: {}, cwd: "/", encoding: "utf8", timeout: 30_000 });
}

/** A path of the host as this process sees it. */
export const seen = (host: Host, path: string): string => join(host.root, path);

/** What lies in the directory of the executable; all paths as the host sees them. */
export const placesIn = (binDir: string) => ({
  binDir,
  binary: join(binDir, BINARY_NAME),
  lib: join(binDir, "lib"),
  settings: join(binDir, "settings.json"),
  state: join(binDir, "install-state.json"),
  manifest: join(binDir, "installed.json"),
  lock: join(binDir, ".install.lock"),
});

export type InstallPlaces = ReturnType<typeof placesIn>;

export const DEFAULT_BIN_DIR = "/coredump";
