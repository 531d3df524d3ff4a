/** From a record to its object: made where there is none, and judged where it is not there any more. */
import type { DumpCluster } from "../../domain/dump.ts";
import { DumpError } from "../../domain/failures.ts";
import { isGone } from "../../domain/states.ts";
import { decide } from "../../node/cache/decide.ts";
import { recordOnDisk } from "../../node/cache/record.ts";
import type { PodRecord } from "../registration/coredump.ts";
import { isDeletion } from "../registration/registry.ts";
import { announcedIn } from "./announce.ts";
import type { DumpContext, Next, Sides } from "./context.ts";
import { enter } from "./enter.ts";

/** Makes its object, or takes the one that was announced while the core came in. */
export async function register(context: DumpContext, record: PodRecord): Promise<Sides> {
  const announced = announcedIn(context.entry);
  if (announced) return { record: await bound(context, record, announced), coredump: "unread" };
  return await entered(context, record);
}

async function entered(context: DumpContext, record: PodRecord): Promise<Sides> {
  const { coredump, cluster } = await enter(context, record);
  return { record: await bound(context, record, cluster), coredump };
}

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
