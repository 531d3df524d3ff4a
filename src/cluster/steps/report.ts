/** What the record says, written into its object. */
import type { Coredump } from "../../kube/coredump.ts";
import { decide } from "../../node/cache/decide.ts";
import { isDeliveryTold } from "../registration/conditions.ts";
import { type PodRecord, stateInApi } from "../registration/coredump.ts";
import type { DumpContext } from "./context.ts";

interface Reported {
  readonly record: PodRecord;
  readonly coredump: Coredump;
}

/** Reports the record, if its object does not say so already. */
export async function reported(context: DumpContext, record: PodRecord, coredump: Coredump): Promise<Reported> {
  return isStale(record, coredump) ? await report(context, record, coredump) : { record, coredump };
}

function isStale(record: PodRecord, { spec, status }: Coredump): boolean {
  const failedAgain =
    record.state === "FailedToSave" && status?.state === "FailedToSave" && status.message !== record.message;
  const isLate = record.core.storedBytes !== null && spec.size === undefined;
  const isMoved = record.bundle !== null && !spec.volume;
  const isUntold = !isDeliveryTold(record, status?.conditions ?? []);
  return status?.state !== stateInApi(record, status?.state) || failedAgain || isLate || isMoved || isUntold;
}

/** Reports the record, and remembers which version of the object that made. */
export async function report(context: DumpContext, record: PodRecord, coredump: Coredump): Promise<Reported> {
  const now = await context.registry.report(record, coredump, context.signal);
  const { resourceVersion } = now.metadata;
  const cluster = record.cluster && { ...record.cluster, resourceVersion };
  return { record: decide(context.entry, record, record.state, { cluster }, context.now()), coredump: now };
}
