/** Why a dump's core cannot be had, and what its owner can do about it. */
import { DumpError } from "../../domain/failures.ts";
import { MAX_SIZE_ANNOTATION, OPT_OUT_LABEL } from "../../domain/wishes.ts";
import type { Coredump } from "../../kube/coredump.ts";

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
  if (!Object.hasOwn(WHY, state)) return unknownState(name, state);
  const why = message || WHY[state];
  if (state === "Restricted")
    return new DumpError("DUMP_RESTRICTED", `Cannot have the core of ${name}: ${why}`, onNode(coredump));
  if (SOON.has(state)) return notYet(name, why, `kubectl coredump list -w -n ${namespace} shows when it is Saved`);
  return new DumpError("DUMP_NOT_HELD", `The core of ${name} was not kept: ${why}`, { hint: adviceFor(coredump) });
}

/** Of a later version of the cluster's part. */
const unknownState = (name: string, state: string): DumpError =>
  new DumpError(
    "DUMP_NOT_HELD",
    `Cannot have the core of ${name}: this program does not know the state ${JSON.stringify(state)}`,
    {
      hint: "kubectl coredump version tells its version; the cluster may have a later one",
    },
  );

const notYet = (name: string, why: string, hint: string): DumpError =>
  new DumpError("DUMP_NOT_READY", `Cannot have the core of ${name} yet: ${why}`, { hint });

/** What would let the next crash of its kind leave a core. */
const ADVICE: Readonly<Record<string, (namespace: string, node: string) => string>> = {
  OverQuota: (namespace) =>
    `kubectl get coredumpquotas -n ${namespace} shows what may be held and what is; delete dumps you no longer need, or ask for a larger quota`,
  OptedOut: () => `Without the label ${OPT_OUT_LABEL} on the pod and its namespace the next crash is captured`,
  TooBig: (namespace, node) =>
    `Raise the annotation ${MAX_SIZE_ANNOTATION} if namespace ${namespace} has it; else ask who runs ${node} for a larger --max-dump-size`,
  NoRoom: (_, node) => moreRoomOn(node),
  MadeRoom: (_, node) => moreRoomOn(node),
  NothingReceived: (_, node) => inLogOf(node),
  KernelGaveUp: (_, node) => inLogOf(node),
};

const moreRoomOn = (node: string): string =>
  `Ask who runs ${node} for more room there (--cache-size, --cache-share, --namespace-disk-quota), so that the next one is kept`;
const inLogOf = (node: string): string => `The kernel's log of ${node} may say why: journalctl -k`;

function adviceFor({ metadata: { namespace = "" }, spec, status }: Coredump): string {
  const reason = status?.reason ?? (status?.state === "Denied" ? "OverQuota" : "");
  const advice = Object.hasOwn(ADVICE, reason) ? ADVICE[reason] : undefined;
  const node = spec.node === undefined ? "its node" : `node ${spec.node}`;
  return advice?.(namespace, node) ?? "Nothing of it is left but this record";
}

function onNode({ spec: { node, id } }: Coredump): { hint: string } {
  const where = node === undefined ? "its node" : `node ${node}`;
  return { hint: `Root of ${where} can read it: coredump-detector dump ${id?.slice(-12) ?? "ID"}` };
}
