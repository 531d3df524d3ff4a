/** Why a dump's core cannot be had, and what its owner can do about it. */
import { DumpError } from "../domain/failures.ts";
import type { Coredump } from "./objects.ts";

/** What the states say that are not Saved; the object's own message counts more. */
const WHY = {
  Capturing: "its bytes are coming in",
  Captured: "it is on the node, and not registered yet",
  Created: "it waits for the quota's decision",
  Allowed: "it is on its way into the store",
  FailedToSave: "it could not be stored, and will be tried again",
  Denied: "over quota",
  Refused: "refused on the node",
  Restricted: "the process was not dumpable (it changed its ids, or was set-uid), and its memory is never served",
  Evicted: "the node needed the room for newer dumps",
  Deleted: "it was removed from the store",
  Lost: "the kernel handed over nothing",
} as const;

const SOON: ReadonlySet<string> = new Set(["Capturing", "Captured", "Created", "Allowed", "FailedToSave"]);

/** @returns undefined when there is nothing against it */
export function refusalOf(coredump: Coredump): DumpError | undefined {
  const { name, namespace = "" } = coredump.metadata;
  const { reason, message } = coredump.status ?? {};
  const state = reason === "NotDumpable" ? "Restricted" : coredump.status?.state;
  if (state === "Saved") return undefined;
  if (state === undefined) return notYet(name, "it is being registered", "Try again soon");
  const why = message || WHY[state];
  if (state === "Restricted")
    return new DumpError("DUMP_RESTRICTED", `Cannot have the core of ${name}: ${why}`, onNode(coredump));
  if (SOON.has(state)) return notYet(name, why, `kubectl coredump list -w -n ${namespace} shows when it is Saved`);
  const hint =
    state === "Denied"
      ? overQuota(namespace)
      : `kubectl coredump info ${name} -n ${namespace} says what is known of it`;
  return new DumpError("DUMP_NOT_HELD", `The core of ${name} was not kept: ${why}`, { hint });
}

const notYet = (name: string, why: string, hint: string): DumpError =>
  new DumpError("DUMP_NOT_READY", `Cannot have the core of ${name} yet: ${why}`, { hint });

const overQuota = (namespace: string): string =>
  `kubectl get coredumpquotas -n ${namespace}; delete dumps you no longer need, or ask for a larger quota`;

function onNode({ spec: { node, id } }: Coredump): { hint: string } {
  const where = node === undefined ? "its node" : `node ${node}`;
  return { hint: `Root of ${where} can read it: coredump-detector dump ${id?.slice(-12) ?? "ID"}` };
}
