/** What tests must not leave behind on the machine. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { TESTBED_COMMAND } from "./paths.ts";

const SETTINGS = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/core_pipe_limit", "/proc/sys/fs/suid_dumpable"];

/** Mounts, cgroups, network namespaces and processes of the test bed, and the kernel's settings; one a line. */
export function traces(): string[] {
  const listed = execFileSync(TESTBED_COMMAND, ["leftovers"], { encoding: "utf8" });
  const settings = SETTINGS.map((file) => `${file} is ${readFileSync(file, "utf8").trimEnd()}`);
  return [...settings, ...listed.split("\n").filter((line) => line !== "")];
}

/** What is there that was not before; what ends by itself gets ten seconds to do so. */
export async function leftSince(before: readonly string[]): Promise<string[]> {
  for (let tries = 0; ; tries++) {
    const left = traces().filter((trace) => !before.includes(trace));
    if (left.length === 0 || tries === 20) return left;
    await sleep(500);
  }
}
