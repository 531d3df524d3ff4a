/** Calls `bin/build` when what it builds from has changed since it was last called from here. */
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { problemOf } from "./command.ts";
import { BINARY, ROOT } from "./paths.ts";

const INPUTS = ["src/**", "containerd/**", "install/build/**", "bin/build", "package.json", "package-lock.json"];

function inputsHash(): string {
  const hash = createHash("sha256");
  for (const path of globSync(INPUTS, { cwd: ROOT }).sort()) {
    const file = join(ROOT, path);
    if (statSync(file).isFile()) hash.update(`${path}\0`).update(readFileSync(file));
  }
  return hash.digest("hex");
}

/** @returns the problem, if any */
export async function buildIfStale(signal: AbortSignal): Promise<string | undefined> {
  const mark = join(dirname(BINARY), ".built-from");
  const hash = inputsHash();
  if (existsSync(BINARY) && existsSync(mark) && readFileSync(mark, "utf8") === hash) return undefined;
  const problem = await problemOf("bin/build", [], signal);
  if (problem === undefined) writeFileSync(mark, hash);
  return problem;
}
