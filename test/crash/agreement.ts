/** How many of the corpus's stacks other tools find alike: for people, who want to know what the differences are worth. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { CrashFrame } from "../../src/domain/crash.ts";
import type { Crashed } from "./corpus.ts";

export interface Agreement {
  readonly tool: "gdb" | "eu-stack";
  /** Crashes asked about. */
  readonly asked: number;
  /** The whole stack has the same addresses. */
  readonly equal: number;
  /** Frames that both have, from the crash on, of all that are here. */
  readonly frames: readonly [same: number, all: number];
}

const COMMANDS = {
  gdb: (program: string, core: string) => [
    "gdb",
    "-batch",
    "-nx",
    "-ex",
    "set backtrace past-main on",
    "-ex",
    "bt 300",
    program,
    core,
  ],
  "eu-stack": (program: string, core: string) => ["eu-stack", "-n", "300", `--core=${core}`, "-e", program],
} as const;

/** Addresses as a tool prints them: gdb says the first frame twice, and without its address where it has its line; eu-stack all threads. */
function addressesOf(tool: Agreement["tool"], crashed: Crashed, first: bigint | undefined): bigint[] {
  const [command = "", ...args] = COMMANDS[tool](join(crashed.named, "../program"), crashed.core);
  const { stdout } = spawnSync(command, args, { encoding: "utf8", timeout: 30_000, maxBuffer: 1 << 24 });
  const stacks: bigint[][] = [];
  for (const line of (stdout ?? "").split("\n")) {
    const frame = /^#(\d+) +(0x[0-9a-f]+)?/.exec(line);
    if (!frame) continue;
    if (frame[1] === "0") stacks.push([]);
    stacks.at(-1)?.push(BigInt(frame[2] ?? first ?? 0n));
  }
  return stacks.findLast((stack) => stack[0] === first) ?? [];
}

/** @param stacks one for each crash */
export function agreementWith(
  tool: Agreement["tool"],
  crashes: readonly Crashed[],
  stacks: readonly (readonly CrashFrame[])[],
): Agreement {
  let [equal, same, all] = [0, 0, 0];
  for (const [i, crashed] of crashes.entries()) {
    const ours = (stacks[i] ?? []).filter(({ inlined }) => !inlined).map(({ pc }) => BigInt(pc));
    const theirs = addressesOf(tool, crashed, ours[0]);
    const first = ours.findIndex((pc, at) => pc !== theirs[at]);
    const alike = first < 0 ? ours.length : first;
    same += alike;
    all += ours.length;
    if (alike === ours.length && theirs.length === ours.length) equal++;
  }
  return { tool, asked: crashes.length, equal, frames: [same, all] };
}
