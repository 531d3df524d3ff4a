/** What is decided about a dump in the cluster, carried out on the node; and what its owner hears while it is not. */
import { isGone } from "../../domain/states.ts";
import type { Coredump } from "../../kube/coredump.ts";
import { decide } from "../../node/cache/decide.ts";
import { type PodRecord, stateInApi } from "../registration/coredump.ts";
import type { DumpContext, Next, Sides } from "./context.ts";
import { report, reported } from "./report.ts";

/** The collector removed the bundle. */
export async function followRetention(context: DumpContext, record: PodRecord, { status }: Coredump): Promise<Next> {
  decide(context.entry, record, "Deleted", { reason: "OwnerDeleted", message: status?.message ?? null }, context.now());
  return "done";
}

/** From here on its owner is to know that it is kept. */
export async function allow(context: DumpContext, record: PodRecord, coredump: Coredump): Promise<Sides> {
  const allowed = decide(context.entry, record, "Allowed", {}, context.now());
  if (context.seesDecisions) await context.events.crash(allowed, coredump.metadata.name);
  return { record: allowed, coredump };
}

/** Over quota: the core goes. */
export async function deny(context: DumpContext, record: PodRecord, coredump: Coredump): Promise<Next> {
  const change = { reason: "OverQuota", message: coredump.status?.message ?? null } as const;
  const denied = decide(context.entry, record, "Denied", change, context.now());
  await context.events.crash(denied, coredump.metadata.name);
  await reported(context, denied, coredump);
  return "done";
}

/** While the copy for its pod's own claim is not made. */
export async function tellMeanwhile(context: DumpContext, record: PodRecord, coredump: Coredump): Promise<Next> {
  await reported(context, record, coredump);
  return "waiting";
}

/** Nothing to follow: the object is to say what the record does. The crash is news, whatever became of the dump. */
export async function tell(context: DumpContext, record: PodRecord, coredump: Coredump): Promise<Sides | Next> {
  const { seesDecisions, events, settings } = context;
  const { name } = coredump.metadata;
  if (seesDecisions && isGone(record.state) && record.state !== "Deleted") await events.crash(record, name); // before a decision
  const now = await reported(context, record, coredump);
  const { state } = now.coredump.status ?? {};
  if (stateInApi(record, state) !== "Created") return "done";
  if (settings.admission === "all" && state === "Created") return await allowAll(context, now.record, now.coredump);
  if (seesDecisions && isLate(context, record)) await events.crash(now.record, name);
  return "waiting";
}

/** The crash itself is news that does not wait for a controller that is away. */
const UNDECIDED_MS = 30_000;
const isLate = ({ now }: DumpContext, { dumptime }: PodRecord): boolean =>
  now().getTime() - Date.parse(dumptime) > UNDECIDED_MS;

/** Only the controller decides, unless the node's settings say that there is none. */
async function allowAll(context: DumpContext, record: PodRecord, coredump: Coredump): Promise<Sides | Next> {
  const allowed = { ...coredump, status: { ...coredump.status, state: "Allowed" as const } };
  const now = await report(context, decide(context.entry, record, "Allowed", {}, context.now()), allowed);
  if (context.seesDecisions) await context.events.crash(now.record, coredump.metadata.name);
  return now.coredump.status?.state === "Allowed" ? now : "waiting";
}
