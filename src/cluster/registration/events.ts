/** Events: what `kubectl describe` shows of a crash, of a namespace's dumps, of a node's pattern. Pure. */
import { frameName } from "../../domain/crash.ts";
import { isOrdinary } from "../../domain/dump.ts";
import { shortId } from "../../domain/id.ts";
import { isGone } from "../../domain/states.ts";
import { printable } from "../../domain/text.ts";
import { formatBytes, formatDuration } from "../../domain/units.ts";
import { EVENT_MESSAGE_LENGTH, warningEvent } from "../../kube/events.ts";
import type { PodRecord } from "./coredump.ts";

/** A Warning event; its name is the dump's, so that one that is sent twice is there once. */
export function podEvent(record: PodRecord, coredump: string, now: Date) {
  const { pod, id, state, node } = record;
  const isDenied = state === "Denied";
  return warning(
    { name: `coredump-${shortId(id)}${isDenied ? "-denied" : ""}`, namespace: pod.namespace },
    { kind: "Pod", namespace: pod.namespace, name: pod.name, uid: pod.uid },
    isDenied ? "CoreDumpDenied" : "CoreDumped",
    messageOf(record, coredump),
    { node, now },
  );
}

function messageOf(record: PodRecord, coredump: string): string {
  const { executable, container } = record;
  const who = `${printable(executable)} (container ${container?.name ?? "unknown"})`;
  const what = `${who} ${whatHappened(record)}`;
  const became = `; ${whatBecame(record)}. See: kubectl coredump info ${coredump}`;
  const room = Math.max(0, EVENT_MESSAGE_LENGTH - became.length); // names of C++ may be longer than the whole message
  return `${what.length > room ? `${what.slice(0, room - 1)}…` : what}${became}`;
}

function whatBecame({ core, heldMs, state, message }: PodRecord): string {
  if (core.storedBytes === null || isGone(state)) return `its core was not kept: ${printable(message ?? state)}`;
  const held = heldMs === null ? "" : ` captured in ${formatDuration(heldMs)},`;
  const whole = core.complete ? "complete" : `cut short (${core.truncation ?? "unknown"})`;
  const open = state === "Created" ? "; it waits for the quota's decision" : "";
  return `core of ${formatBytes(core.storedBytes)}${held} ${whole}${open}`;
}

const FRAMES = 5;

/** The title, and the first frames under it; of a crash that was not explained the signal. */
function whatHappened(record: PodRecord): string {
  const { signal, crash } = record;
  if (!crash || !isOrdinary(record)) {
    const address = signal?.faultAddress ? ` at address ${signal.faultAddress}` : "";
    return `was killed by ${signal?.name ?? "a signal"}${address}`;
  }
  const frames = crash.stack.slice(0, FRAMES).map((frame) => frameName(frame, crash));
  return printable(`crashed: ${crash.title}${frames.length > 0 ? ` (stack: ${frames.join(" ← ")})` : ""}`);
}

/** What became of the copy for the pod's own claim. */
export function deliveryEvent({ pod, id, delivery, node }: PodRecord, now: Date) {
  const isThere = delivery?.state === "Delivered";
  const event = warning(
    { name: `coredump-${shortId(id)}-delivery`, namespace: pod.namespace },
    { kind: "Pod", namespace: pod.namespace, name: pod.name, uid: pod.uid },
    isThere ? "CoreDumpDelivered" : "CoreDumpNotDelivered",
    `core ${isThere ? "" : "not "}delivered into claim ${delivery?.claim}: ${printable(delivery?.message ?? "")}`,
    { node, now },
  );
  return isThere ? { ...event, type: "Normal" } : event;
}

/** The namespace's dumps on this node near their limit: an event on the namespace. */
export function quotaEvent(
  { name, uid }: { readonly name: string; readonly uid: string },
  heldBytes: bigint,
  quotaBytes: bigint,
  where: Where,
) {
  return warning(
    { generateName: "coredump-quota-", namespace: name },
    { kind: "Namespace", name, namespace: name, uid },
    "CoreDumpQuotaNearlyUsed",
    `core dumps of this namespace hold ${formatBytes(heldBytes)} of the ${formatBytes(quotaBytes)} that they may hold on node ${where.node}`,
    where,
  );
}

/** Another program has the node's core_pattern: an event on the node, beside the kubelet's own, which give its name as uid. */
export function conflictEvent(pattern: string, where: Where) {
  return warning(
    { generateName: "coredump-pattern-", namespace: "default" }, // where events of nodes are
    { kind: "Node", name: where.node, uid: where.node },
    "CorePatternTaken",
    `core_pattern of this node was set to ${printable(pattern)}, which is not coredump-detector's`,
    where,
  );
}

interface Where {
  readonly node: string;
  readonly now: Date;
}

const warning = (
  metadata: { readonly namespace: string; readonly name?: string; readonly generateName?: string },
  involved: { readonly kind: string; readonly name: string; readonly namespace?: string; readonly uid: string },
  reason: string,
  message: string,
  { node, now }: Where,
) => warningEvent({ metadata, involved, reason, message, from: node, host: node, now });
