/** What the node says of a dump before the cluster hears of it: whose it is, and whether its owner wants it. */
import type { DumpRecord } from "../../domain/dump.ts";
import { DumpError } from "../../domain/failures.ts";
import { mayFollow, type Reason } from "../../domain/states.ts";
import { formatBytes, parseBytes } from "../../domain/units.ts";
import { MAX_SIZE_ANNOTATION, OPT_OUT_LABEL, optedOut } from "../../domain/wishes.ts";
import { decide } from "../../node/cache/decide.ts";
import { hasPod, type PodRecord } from "../registration/coredump.ts";
import type { DumpContext } from "./context.ts";
import { withDelivery } from "./deliver.ts";
import { identifyLate } from "./identify.ts";

/**
 * The record as it may be registered: identified as far as anybody can, refused where the owner wants none.
 * @throws DumpError RUNTIME_UNAVAILABLE while it is not known whether the owner wants it: then it stays here
 */
export async function prepared(context: DumpContext, found: DumpRecord): Promise<DumpRecord> {
  const { entry, signal } = context;
  const isOpen = mayFollow(found.state, "Refused");
  if (!isOpen || found.owner === "host") return found;
  const asks = !found.identity.confirmed;
  const { record, answered } = asks
    ? await identifyLate(entry, found, context.settings, signal)
    : { record: found, answered: true };
  if (!hasPod(record) || !mayFollow(record.state, "Refused")) return record;
  return await byOwner(context, record, answered);
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
  const who = optedOut(pod?.labels ?? null)
    ? "pod"
    : optedOut(labels) || optedOut(annotations)
      ? "namespace"
      : undefined;
  if (who) return refuse(context, owned, "OptedOut", `the ${who}'s label ${OPT_OUT_LABEL} says so`);
  return (
    (await tooMuch(context, owned, { annotations, uid: namespaceUid ?? "" })) ??
    (await withDelivery(context, owned, pod))
  );
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
