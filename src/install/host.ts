import { spawnSync } from "node:child_process";
import { release } from "node:os";
import { join } from "node:path";
import { BINARY_NAME } from "../kernel/core-pattern.ts";

/** The machine that install, uninstall and doctor work on. */
export interface Host {
  /** Where its root directory is seen: "" on the host itself. No pattern, unit or setting ever carries it. */
  readonly root: string;
  readonly procSys: string;
  readonly kernelRelease: string;
  /** Runs a program of the host; the exit code, 127 when there is none. */
  run(program: string, args: readonly string[]): number;
}

export const thisHost = (): Host => ({
  root: "",
  procSys: "/proc/sys",
  kernelRelease: release(),
  run: (program, args) => spawnSync(program, args, { stdio: "ignore", timeout: 30_000 }).status ?? 127,
});

/** A path of the host as this process sees it. */
export const seen = (host: Host, path: string): string => join(host.root, path);

/** What lies in the directory of the executable; all paths as the host sees them. */
export const placesIn = (binDir: string) => ({
  binDir,
  binary: join(binDir, BINARY_NAME),
  lib: join(binDir, "lib"),
  settings: join(binDir, "settings.json"),
  state: join(binDir, "install-state.json"),
  lock: join(binDir, ".install.lock"),
  /** Of an install that was killed. */
  leftovers: [`.${BINARY_NAME}.new`, "settings.json.part", "install-state.json.part"].map((name) => join(binDir, name)),
});

export type Places = ReturnType<typeof placesIn>;

export const DEFAULT_BIN_DIR = "/coredump";
