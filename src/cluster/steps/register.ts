/** From a record to its object: made where there is none, and judged where it is not there any more. */
import type { DumpCluster, DumpRecord } from "../../domain/dump.ts";
import { DumpError, errnoOf } from "../../domain/failures.ts";
import { isGone } from "../../domain/states.ts";
import type { Coredump } from "../../kube/coredump.ts";
import { decide } from "../../node/cache/decide.ts";
import { recordOnDisk } from "../../node/cache/record.ts";
import type { Entry } from "../../node/cache/spool.ts";
import { readSmall } from "../../system/small-file.ts";
import type { PodRecord } from "../registration/coredump.ts";
import { bindingOf, isDeletion, type NamespaceState } from "../registration/registry.ts";
import type { DumpContext, Next, Sides } from "./context.ts";

export const announcedPath = (entry: Entry): string => entry.path("announced.json");

/** The object that was made while the core came in. */
export function announced(entry: Entry): DumpCluster | undefined {
  try {
    return JSON.parse(readSmall(announcedPath(entry)).toString("utf8")) as DumpCluster;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Makes its object, or takes the one that was announced while the core came in. */
export async function register(context: DumpContext, record: PodRecord): Promise<Sides> {
  const known = announced(context.entry);
  if (known) return { record: await bound(context, record, known), coredump: "unread" };
  return await entered(context, record);
}

async function entered(context: DumpContext, record: PodRecord): Promise<Sides> {
  const { coredump, cluster } = await enter(context, record);
  return { record: await bound(context, record, cluster), coredump };
}

/**
 * Makes its object, or finds the one that an earlier try made.
 * @throws DumpError NOT_FOUND when its namespace is gone, or the cluster has no Coredumps
 */
export async function enter(
  context: DumpContext,
  record: PodRecord,
): Promise<{ readonly coredump: Coredump; readonly cluster: DumpCluster }> {
  const { signal } = context;
  const { namespace } = record.pod;
  const view = await context.registry.namespace(namespace, signal);
  // A pod of then that is there says that only the clocks differ.
  const isAnother = isYounger(view, record) && !(await context.registry.pod(record, signal));
  if (view.namespaceUid === undefined || isAnother)
    throw new DumpError("NOT_FOUND", `Cannot register dump ${record.id}: its namespace ${namespace} is gone`);
  if (view.crdUid === undefined)
    throw new DumpError("NOT_FOUND", "Cannot register dumps: the cluster has no Coredumps (CustomResourceDefinition)", {
      hint: "kubectl apply -f install/crd",
    });
  const coredump = await context.registry.create({ ...record, node: context.node }, view.namespaceUid, signal);
  return { coredump, cluster: bindingOf(coredump, view, view.namespaceUid) };
}

/** Clocks of nodes and of the API server may differ so much. */
const SKEW_MS = 60_000;

/** A namespace that was made after the crash is another one, whose owner has no claim to it. */
const isYounger = ({ namespaceSince }: NamespaceState, { dumptime }: DumpRecord): boolean =>
  namespaceSince !== undefined && Date.parse(namespaceSince) > Date.parse(dumptime) + SKEW_MS;

/** From here on the record and that object are two views of one dump. */
async function bound(context: DumpContext, record: PodRecord, cluster: DumpCluster): Promise<PodRecord> {
  const { entry, node, seesDecisions, events } = context;
  const to = record.state === "Captured" ? "Created" : record.state;
  const known = decide(entry, { ...record, node }, to, { cluster }, context.now());
  await recordOnDisk(entry);
  if (known.state !== "Created" || !seesDecisions) await events.crash(known, cluster.name);
  return known;
}

/** Its object, if it is the one that the record knows. */
export async function look({ registry, signal }: DumpContext, record: PodRecord): Promise<Sides> {
  const { name = "", objectUid } = record.cluster ?? {};
  const coredump = await registry.read(record, name, signal);
  return { record, coredump: coredump && coredump.metadata.uid === objectUid ? coredump : "vanished" };
}

/** 404, or another object in its place: the owner's decision, or an API that lost its memory. */
export async function judgeAbsence(context: DumpContext, record: PodRecord): Promise<Sides | Next> {
  const { entry, registry, signal, deleted, forgotten } = context;
  const known = record.cluster as DumpCluster;
  const view = await registry.namespace(record.pod.namespace, signal);
  const again = await registry.read(record, known.name, signal); // it may have come back meanwhile
  const isForgotten = forgotten?.has(known.objectUid) === true;
  if (!again && !isForgotten && isDeletion(known, view, deleted?.has(known.objectUid) === true)) {
    const change = { reason: "OwnerDeleted", message: "its Coredump was deleted" } as const;
    if (!isGone(record.state)) decide(entry, record, "Deleted", change, context.now()); // else it goes on saying why
    return "done";
  }
  if (view.clusterUid === known.clusterUid && view.namespaceUid !== known.namespaceUid)
    throw new DumpError(
      "NOT_FOUND",
      `Cannot register dump ${record.id}: its namespace ${record.pod.namespace} is gone`,
    );
  return await entered(context, { ...record, cluster: null });
}
