/** The bench's own C programs and what it compares with; made once for the same sources. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../support/paths.ts";

const CACHE = join(ROOT, ".cache/bench");

/** @param make  fills the path that it is given @returns where it is now */
function once(source: string, make: (into: string, from: string) => void): string {
  const from = join(import.meta.dirname, source);
  const hash = createHash("sha256").update(readFileSync(from)).digest("hex").slice(0, 12);
  const path = join(CACHE, `${source}-${hash}`);
  if (existsSync(path)) return path;
  mkdirSync(CACHE, { recursive: true });
  rmSync(`${path}.part`, { recursive: true, force: true });
  make(`${path}.part`, from);
  renameSync(`${path}.part`, path);
  return path;
}

/** Static, so that it starts at once and anywhere. */
export const compiled = (name: "warm" | "watch"): string =>
  once(`${name}.c`, (into, from) => execFileSync("gcc", ["-O2", "-Wall", "-static", "-o", into, from]));

/** A folder with systemd-coredump and all it needs, not installed. */
export const unpackedSystemd = (): string =>
  once("systemd.sh", (into, from) => {
    mkdirSync(into);
    execFileSync(from, [into], { stdio: ["ignore", "inherit", "inherit"] });
  });
