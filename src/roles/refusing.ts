/** What the node's policy says before the first byte of memory is read. */
import { statSync } from "node:fs";
import type { OpenEntry } from "../cache/begin.ts";
import { writeRecord } from "../cache/record.ts";
import type { DumpRecord, Reason } from "../domain/dump.ts";
import { reasonOf } from "../domain/failures.ts";
import { advance } from "../domain/life-cycle.ts";
import { OPT_OUT_LABEL, optedOut } from "../policy/opt-out.ts";
import { kernelLog } from "../system/log.ts";
import type { Scene, World } from "./handler.ts";

export interface Refusal {
  readonly reason: Reason;
  readonly message: string;
}

/** Names the process of `doctor --self-test` in its arguments: it is captured whatever the policy for the host is. */
export const SELF_TEST = "coredump-detector-self-test";

/** Why this dump is not to be taken at all, or undefined. A host crash that is chained is passed on here. */
export async function refusedUnseen(scene: Scene, world: World): Promise<Refusal | undefined> {
  const { settings } = world;
  if (optedOut(scene.quick.labels))
    return { reason: "OptedOut", message: `the owner's label ${OPT_OUT_LABEL} says so` };
  if (settings.rlimit === "honour" && scene.kernelCall.call.coreLimit === "0") {
    return { reason: "OptedOut", message: "RLIMIT_CORE is 0, and the node's policy honours that" };
  }
  if (scene.quick.owner !== "host" || isSelfTest(scene, world)) return undefined;
  const policy = settings.host ?? (world.formerHandler ? "chain" : "keep");
  if (policy === "ignore")
    return { reason: "HostIgnored", message: "the node's policy keeps no cores of host processes" };
  return policy === "chain" && world.formerHandler ? await chained(scene, world.formerHandler) : undefined;
}

async function chained({ kernelCall, record }: Scene, pattern: string): Promise<Refusal | undefined> {
  const { expand, passOn } = await import("../kernel/chain.ts");
  const argv = expand(pattern, kernelCall.call, { comm: record.comm ?? "", exe: record.exe ?? "" });
  try {
    const exit = await passOn(argv, kernelCall.call.pidfd);
    return { reason: "Chained", message: `passed on to ${argv[0]}${exit === 0 ? "" : `, which ended with ${exit}`}` };
  } catch (error) {
    kernelLog(reasonOf(error));
    return undefined; // the core is still in the pipe: keep it ourselves
  }
}

function isSelfTest({ process }: Scene, { executable }: World): boolean {
  if (!process?.facts.get("cmdline")?.includes(SELF_TEST)) return false;
  const crashed = statSync(process.memory.path("exe"), { throwIfNoEntry: false, bigint: true });
  const own = statSync(executable, { throwIfNoEntry: false, bigint: true });
  return crashed !== undefined && own !== undefined && crashed.dev === own.dev && crashed.ino === own.ino;
}

/** The record stays and says why; its core was never held, or goes now. */
export function refuse({ entry }: OpenEntry, record: DumpRecord, { reason, message }: Refusal): DumpRecord {
  const refused = advance(record, "Refused", { reason, message, heldMs: Math.round(performance.now()) }, new Date());
  writeRecord(entry, refused);
  return refused;
}
