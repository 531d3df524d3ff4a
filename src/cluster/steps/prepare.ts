/** What the node says of a dump before the cluster hears of it: whose it is, and whether its owner wants it. */
import type { DumpRecord } from "../../domain/dump.ts";
import { DumpError } from "../../domain/failures.ts";
import { mayFollow, type Reason } from "../../domain/states.ts";
import { formatBytes, parseBytes } from "../../domain/units.ts";
import { MAX_SIZE_ANNOTATION, OPT_OUT_LABEL, optedOut } from "../../domain/wishes.ts";
import { decide } from "../../node/cache/decide.ts";
import { readRecord, writeRecord } from "../../node/cache/record.ts";
import { withOwner } from "../../node/capture/finishing.ts";
import { hasPod, type PodRecord } from "../registration/coredump.ts";
import type { DumpContext } from "./context.ts";
import { withDelivery } from "./deliver.ts";
import { askEngines } from "./identify.ts";

/**
 * The record as it may be registered: identified as far as possible, refused where the owner wants none.
 * @throws DumpError RUNTIME_UNAVAILABLE while it is not known whether the owner wants it: then it stays here
 */
export async function prepared(context: DumpContext, found: DumpRecord): Promise<DumpRecord> {
  if (!mayFollow(found.state, "Refused") || found.owner === "host") return found;
  const { record, answered } = found.identity.confirmed
    ? { record: found, answered: true }
    : await identified(context, found);
  if (!hasPod(record) || !mayFollow(record.state, "Refused")) return record;
  return await byOwner(context, record, answered);
}

/** Writes what the run-times say; an opt-out drops the core. */
async function identified(context: DumpContext, record: DumpRecord) {
  const { entry, settings } = context;
  const { found, answered } = await askEngines(context, record);
  if (!found) return { record, answered };
  const known = await withOwner(entry, record, found, { settings });
  if (JSON.stringify(known) !== JSON.stringify(readRecord(entry))) writeRecord(entry, known);
  return { record: known, answered };
}

async function byOwner(context: DumpContext, record: PodRecord, answered: boolean): Promise<DumpRecord> {
  const { signal } = context;
  const [pod, { labels, annotations, namespaceUid }] = await Promise.all([
    context.registry.pod(record, signal),
    context.registry.namespace(record.pod.namespace, signal),
  ]);
  if (!pod && !record.identity.confirmed && !answered)
    throw new DumpError(
      "RUNTIME_UNAVAILABLE",
      `Cannot tell whether the owner of dump ${record.id} wants it: ${record.identity.problem ?? "no engine answers"}`,
    );
  const owned = pod && pod.uid !== record.pod.uid ? { ...record, pod: { ...record.pod, uid: pod.uid } } : record;
  const refused = (by: string) => refuse(context, owned, "OptedOut", `the ${by}'s label ${OPT_OUT_LABEL} says so`);
  if (optedOut(pod?.labels ?? null)) return refused("pod");
  if (optedOut(labels) || optedOut(annotations)) return refused("namespace");
  const beyond = await tooMuch(context, owned, { annotations, uid: namespaceUid ?? "" });
  return beyond ?? (await withDelivery(context, owned, pod));
}

/** The namespace's own limit for one dump, then the node's for all of the namespace. */
async function tooMuch(
  context: DumpContext,
  record: PodRecord,
  { annotations, uid }: { readonly annotations: Readonly<Record<string, string>>; readonly uid: string },
): Promise<DumpRecord | undefined> {
  const { namespace } = record.pod;
  const limit = annotations[MAX_SIZE_ANNOTATION];
  const heldBytes = BigInt(record.core.storedBytes ?? 0);
  const maxBytes = limit === undefined ? undefined : parseBytes(limit);
  if (maxBytes !== undefined && heldBytes > maxBytes) {
    const message = `too big: ${formatBytes(heldBytes)}, limit of namespace ${namespace} ${formatBytes(maxBytes)}`;
    return refuse(context, record, "TooBig", message);
  }
  const quotaBytes = context.settings.namespaceDiskBytes;
  if (quotaBytes === undefined) return undefined;
  const sumBytes = context.heldBy(namespace);
  if (sumBytes * 10n >= quotaBytes * 9n)
    await context.events.nearlyFull({ name: namespace, uid }, sumBytes, quotaBytes);
  if (sumBytes <= quotaBytes) return undefined;
  const message = `the dumps of namespace ${namespace} may hold ${formatBytes(quotaBytes)} on this node; with this one they would hold ${formatBytes(sumBytes)}`;
  return refuse(context, record, "NoRoom", message);
}

const refuse = ({ entry, now }: DumpContext, record: PodRecord, reason: Reason, message: string): PodRecord =>
  decide(entry, record, "Refused", { reason, message }, now());
