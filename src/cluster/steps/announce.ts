/**
 * A crash whose core is still coming in: its owner sees it as soon as it is known whose it is. The record is its handler's,
 * who holds the lock; what was made in the cluster is noted in a file beside it until the record can say so itself.
 */

import { readRecord } from "../../node/cache/record.ts";
import { ownerOf } from "../../node/capture/observing.ts";
import { replaceSync } from "../../system/durable.ts";
import { hasPod, type PodRecord } from "../registration/coredump.ts";
import type { DumpContext } from "./context.ts";
import { askEngines } from "./identify.ts";
import { announced, announcedPath, enter } from "./register.ts";

/** Most copies are over sooner, and need no object that says so. */
const LONG_MS = 500;

/** Makes the object of a copy that takes long, once; may be called at any time. @throws DumpError as `enter()` */
export async function announce(context: DumpContext): Promise<void> {
  const { entry, signal } = context;
  const record = readRecord(entry);
  if (record?.state !== "Capturing" || context.now().getTime() - Date.parse(record.dumptime) < LONG_MS) return;
  if (!hasPod(record) || announced(entry)) return;
  const owned = await withOwner(context, record);
  if (!owned) return;
  const { coredump, cluster } = await enter(context, owned);
  const object = coredump.status?.state ? coredump : await context.registry.report(owned, coredump, signal);
  const { resourceVersion } = object.metadata;
  replaceSync(announcedPath(entry), Buffer.from(JSON.stringify({ ...cluster, resourceVersion })));
}

/** What never changes in the object must be right at once: the engine's word, and the API's uid of a static pod. */
async function withOwner(context: DumpContext, record: PodRecord): Promise<PodRecord | undefined> {
  const { found } = await askEngines(context, record);
  const known = found ? { ...record, ...ownerOf(found) } : record;
  if (!hasPod(known)) return undefined;
  const pod = await context.registry.pod(known, context.signal);
  return pod ? { ...known, pod: { ...known.pod, uid: pod.uid } } : known;
}
