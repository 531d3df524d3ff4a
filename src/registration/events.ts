/** Events on the pod: what `kubectl describe pod` shows of a crash. Pure. */
import { shortId } from "../domain/id.ts";
import { printable } from "../domain/text.ts";
import { formatBytes, formatDuration } from "../domain/units.ts";
import type { PodRecord } from "./coredump.ts";

const MESSAGE_LENGTH = 1024;

/** A Warning event; its name is the dump's, so that one that is sent twice is there once. */
export function podEvent(record: PodRecord, coredump: string, now: Date) {
  const { pod, id, state, node } = record;
  const reason = state === "Denied" ? "CoreDumpDenied" : "CoreDumped";
  const time = now.toISOString().replace(/\.\d+Z$/, "Z");
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: `coredump-${shortId(id)}${state === "Denied" ? "-denied" : ""}`, namespace: pod.namespace },
    involvedObject: { apiVersion: "v1", kind: "Pod", namespace: pod.namespace, name: pod.name, uid: pod.uid },
    type: "Warning",
    reason,
    message: messageOf(record, coredump).slice(0, MESSAGE_LENGTH).toWellFormed(),
    source: { component: "coredump-detector", host: node },
    reportingComponent: "coredump-detector",
    reportingInstance: node.slice(0, 128),
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
}

function messageOf(record: PodRecord, coredump: string): string {
  const { executable, container, signal, core, heldMs, state, message } = record;
  const who = `${printable(executable)} (container ${container?.name ?? "unknown"})`;
  const address = signal?.faultAddress ? ` at address ${signal.faultAddress}` : "";
  const what = `${who} was killed by ${signal?.name ?? "a signal"}${address}`;
  const see = `See: kubectl coredump info ${coredump}`;
  if (core.storedBytes === null || ["Refused", "Denied", "Lost", "Evicted"].includes(state))
    return `${what}; its core was not kept: ${printable(message ?? state)}. ${see}`;
  const held = heldMs === null ? "" : ` captured in ${formatDuration(heldMs)},`;
  const whole = core.complete ? "complete" : `cut short (${core.truncation ?? "unknown"})`;
  return `${what}; core of ${formatBytes(core.storedBytes)}${held} ${whole}. ${see}`;
}

/** The namespace's dumps on this node near their limit: an event on the namespace. */
export function quotaEvent(
  namespace: string,
  uid: string,
  node: string,
  heldBytes: bigint,
  quotaBytes: bigint,
  now: Date,
) {
  const time = now.toISOString().replace(/\.\d+Z$/, "Z");
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { generateName: "coredump-quota-", namespace },
    involvedObject: { apiVersion: "v1", kind: "Namespace", name: namespace, namespace, uid },
    type: "Warning",
    reason: "CoreDumpQuotaNearlyUsed",
    message: `core dumps of this namespace hold ${formatBytes(heldBytes)} of the ${formatBytes(quotaBytes)} that they may hold on node ${node}`,
    source: { component: "coredump-detector", host: node },
    reportingComponent: "coredump-detector",
    reportingInstance: node.slice(0, 128),
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
}
