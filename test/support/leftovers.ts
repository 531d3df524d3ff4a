/** What tests must not leave behind on the machine. */
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { TESTBED_COMMAND } from "./paths.ts";

/**
 * The kernel's core_pattern, core_pipe_limit and suid_dumpable when nobody has changed them for a while, one a line.
 * Waits for who has.
 */
export function kernelSettings(): string[] {
  const saved = "/run/coredump-testbed.saved"; // the former values, while somebody holds the pattern
  const text = execFileSync(TESTBED_COMMAND, ["pattern", "core", "cat", saved], { encoding: "utf8" });
  return text.trimEnd().split("\n");
}

/** The kernel's settings, and what is left of engines and tests that nobody uses any more. */
export function traces(): string[] {
  const [pattern, limit, dumpable] = kernelSettings();
  const listed = execFileSync(TESTBED_COMMAND, ["leftovers"], { encoding: "utf8" }).split("\n");
  const settings = [`core_pattern ${pattern}`, `core_pipe_limit ${limit}`, `suid_dumpable ${dumpable}`];
  return [...settings, ...listed.filter((line) => line !== "")];
}

/** What is there that was not before; what ends by itself gets ten seconds to do so. */
export async function leftSince(before: readonly string[]): Promise<string[]> {
  for (let tries = 0; ; tries++) {
    const left = traces().filter((trace) => !before.includes(trace));
    if (left.length === 0 || tries === 20) return left;
    await sleep(500);
  }
}
