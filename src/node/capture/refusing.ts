/** What the node's policy says before the first byte of memory is read. */

import type { DumpRecord } from "../../domain/dump.ts";
import type { Reason } from "../../domain/states.ts";
import { OPT_OUT_LABEL, optedOut } from "../../domain/wishes.ts";
import type { OpenEntry } from "../cache/begin.ts";
import { decideOnDisk } from "../cache/decide.ts";
import type { CorePipe } from "../kernel/pipe.ts";
import { type Explaining, explain } from "./explaining.ts";
import type { Scene } from "./observing.ts";
import type { World } from "./world.ts";

export interface Refusal {
  readonly reason: Reason;
  readonly message: string;
  /** What the stack can be read from, where the process was looked at before it was refused. */
  readonly explaining?: Explaining;
}

/** Why this dump is not to be taken at all, or undefined. A host crash that is chained is passed on here. */
export async function refusedUnseen(scene: Scene, world: World, pipe: CorePipe): Promise<Refusal | undefined> {
  const { settings } = world;
  if (optedOut(scene.quick.labels))
    return { reason: "OptedOut", message: `the owner's label ${OPT_OUT_LABEL} says so` };
  if (settings.rlimit === "honour" && scene.kernelCall.call.coreLimit === "0") {
    return { reason: "OptedOut", message: "RLIMIT_CORE is 0, and the node's policy honours that" };
  }
  if (scene.quick.owner !== "host" || scene.program === "self-test") return undefined;
  const policy = settings.host ?? (world.formerHandler ? "chain" : "keep");
  if (policy === "ignore")
    return { reason: "HostIgnored", message: "the node's policy keeps no cores of host processes" };
  if (scene.program === "own") return undefined; // not for another handler's eyes
  return policy === "chain" && world.formerHandler ? await chained(scene, world.formerHandler, world, pipe) : undefined;
}

async function chained(
  { kernelCall, record }: Scene,
  pattern: string,
  { kernelLog }: World,
  pipe: CorePipe,
): Promise<Refusal | undefined> {
  const { expand, passOn } = await import("../kernel/chain.ts");
  const argv = expand(pattern, kernelCall.call, { comm: record.comm ?? "", exe: record.exe ?? "" });
  const exit = await passOn(argv, kernelCall.call.pidfd, () => pipe.release());
  if (exit !== undefined)
    return { reason: "Chained", message: `passed on to ${argv[0]}${exit === 0 ? "" : `, which ended with ${exit}`}` };
  kernelLog(`cannot start ${argv[0]}, which the pattern named before: pid ${record.hostPid} is kept here`);
  return undefined;
}

/** The record stays and says why; its core was never held. */
export async function refuse({ entry }: OpenEntry, record: DumpRecord, refusal: Refusal): Promise<DumpRecord> {
  const { reason, message, explaining } = refusal;
  const heldMs = Math.round(performance.now());
  const { crash, warnings } = explaining ? await explain(entry, explaining) : { crash: null, warnings: [] };
  const told = { reason, message, heldMs, crash, warnings: [...record.warnings, ...warnings] };
  return await decideOnDisk(entry, record, "Refused", told);
}
