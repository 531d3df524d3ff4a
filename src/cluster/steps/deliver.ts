/** The copy for the pod's own claim: whether one is wanted, one try, and what came of it. Quota and store have no say here. */
import { join } from "node:path";
import { isSea } from "node:sea";
import type { AgentSettings } from "../../config/cluster-options.ts";
import { claimOf } from "../../domain/claim.ts";
import { type DumpDelivery, type DumpRecord, isOrdinary } from "../../domain/dump.ts";
import { ifPossible } from "../../domain/failures.ts";
import { readRecord, recordOnDisk, writeRecord } from "../../node/cache/record.ts";
import type { Entry } from "../../node/cache/spool.ts";
import { DeliveryProcesses } from "../../node/delivery/delivery-process.ts";
import {
  type DeliveryJob,
  type DeliveryOutcome,
  deliveredName,
  mountIn,
  Undeliverable,
} from "../../node/delivery/job.ts";
import { PROC_FILE_BYTES, statusField } from "../../system/proc.ts";
import { readSmall } from "../../system/small-file.ts";
import { hasPod, type PodRecord } from "../registration/coredump.ts";
import type { PodSeen } from "../registration/registry.ts";
import type { Deliver, DumpContext, Next } from "./context.ts";

/** While this is so the core stays. */
export const isDeliveryPending = (record: DumpRecord | undefined): boolean => record?.delivery?.state === "Pending";

export function deliverBy(settings: AgentSettings): Deliver {
  const own = isSea() ? [] : [...process.execArgv, process.argv[1] ?? ""];
  const processes = new DeliveryProcesses([process.execPath, ...own, "deliver"]);
  const { kubeletRoot, hostRoot = "/", deliveryMs: forMs } = settings;
  return { kubeletRoot: join(hostRoot, kubeletRoot), forMs, send: (job, signal) => processes.send(job, signal) };
}

/** The record with its owner's wish for a copy, if there is one. Call it with the record's lock held. */
export async function withDelivery(
  context: DumpContext,
  record: PodRecord,
  pod: PodSeen | undefined,
): Promise<PodRecord> {
  const { entry } = context;
  const claim = claimOf(pod?.object ?? { metadata: recordedPod(entry) });
  if (claim === undefined || record.delivery || record.core.path === null) return record;
  const wish: DumpDelivery = {
    state: "Pending",
    claim,
    reason: null,
    message: null,
    since: context.now().toISOString(),
  };
  const why = pod ? whyNever(record) : PODLESS;
  const wished = { ...record, delivery: why ? settled(wish, why, true) : wish };
  writeRecord(entry, wished);
  if (why) await context.events.delivery(wished);
  return wished;
}

const PODLESS: DeliveryOutcome = {
  reason: "PodGone",
  message: "the pod was gone before its core was there",
  mayPass: false,
};

/** The run-time's own document still has the annotations of a pod that the API has forgotten; where none was asked, there is none. */
const recordedPod = (entry: Entry): { annotations?: Record<string, string> } =>
  ifPossible(() => JSON.parse(readSmall(entry.path("pod.json")).toString("utf8"))) ?? {};

/** Memory that only root may read is not handed out (CVE-2022-4415). */
function whyNever(record: DumpRecord): DeliveryOutcome | undefined {
  if (isOrdinary(record)) return undefined;
  const message = record.dumpable === null ? "whether it was dumpable is not known" : "it was not dumpable";
  return { reason: "NotDumpable", message: `the process's memory is root's: ${message}`, mayPass: false };
}

/** One try, if the dump still wants one. @returns `waiting` for another; `done` when there is nothing (more) to do */
export async function deliverDump(context: DumpContext): Promise<Next> {
  const { entry, signal } = context;
  using lock = entry.tryLock();
  if (!lock) return "busy";
  const record = readRecord(entry);
  if (!record?.delivery || !hasPod(record) || !isDeliveryPending(record)) return "done";
  if (!context.deliver) return "hold";
  const outcome = await tried(context, record, context.deliver);
  signal.throwIfAborted();
  const delivery = settled(record.delivery, outcome, endOf(record.delivery, context.deliver) <= context.now());
  const next = { ...record, delivery, updated: context.now().toISOString() };
  writeRecord(entry, next);
  await recordOnDisk(entry);
  if (delivery.state === "Pending") return "waiting";
  await context.events.delivery(next);
  return "done";
}

const endOf = ({ since }: DumpDelivery, { forMs }: Deliver): Date => new Date(Date.parse(since) + forMs);

function settled({ claim, since }: DumpDelivery, outcome: DeliveryOutcome, isLate: boolean): DumpDelivery {
  if (outcome.reason === "Delivered") return { state: "Delivered", claim, since, ...outcome };
  const { reason, message, mayPass } = outcome;
  const isOver = !mayPass || isLate;
  return { state: isOver ? "GivenUp" : "Pending", claim, since, reason, message };
}

async function tried(context: DumpContext, record: PodRecord, deliver: Deliver): Promise<DeliveryOutcome> {
  if (record.core.path === null) return { reason: "CoreGone", message: `the dump is ${record.state}`, mayPass: false };
  const never = whyNever(record);
  if (never) return never;
  const pod = await context.registry.pod(record, context.signal);
  if (!pod) return PODLESS;
  try {
    const job = jobFor(context.entry, record, pod, deliver.kubeletRoot);
    return await deliver.send(job, context.signal);
  } catch (error) {
    if (error instanceof Undeliverable) return error.outcome;
    throw error;
  }
}

/** @throws Undeliverable */
function jobFor(entry: Entry, record: PodRecord, pod: PodSeen, kubeletRoot: string): DeliveryJob {
  const { core, processUid: uid, processGid: gid, container } = record;
  if (uid === null || gid === null) throw new Undeliverable("OwnerUnknown", "it is not known whose process it was");
  return {
    core: entry.core,
    coreBytes: core.logicalBytes ?? 0,
    name: deliveredName(record),
    mount: mountIn(pod.object, record.pod.uid, container?.name ?? "", kubeletRoot),
    ids: { uid, gid, groups: groupsOf(entry) },
    mapped: !pod.hostUsers,
  };
}

/** In the initial user namespace: the handler read them there, unless `/proc/P` was gone. */
function groupsOf(entry: Entry): number[] {
  const status = ifPossible(() => readSmall(entry.path("facts/status"), PROC_FILE_BYTES));
  const groups = (status && statusField(status, "Groups")?.split(/\s+/)) ?? [];
  return groups.filter((group) => /^\d+$/.test(group)).map(Number);
}
