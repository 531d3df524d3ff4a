/** Whose store it is: the collector marks it on its first visit, and touches nothing under another's mark. */

import { DumpError } from "../../domain/failures.ts";
import { MARKER, markerIn, markerText } from "../../store/bundle/marker.ts";
import type { BundleStore } from "../../store/ports/bundle-store.ts";
import type { BundleView, RecordView } from "../policy/retention-world.ts";

/** Whether the store lets us in. @throws DumpError STORE_… */
export const peek = (store: BundleStore, signal: AbortSignal): Promise<unknown> => store.readNote(MARKER, signal);

/** @returns false when it bears no mark @throws DumpError RETENTION_STOPPED when it bears another's, or something else */
export async function isOurs(store: BundleStore, clusterUid: string, signal: AbortSignal): Promise<boolean> {
  const text = await store.readNote(MARKER, signal);
  if (text === undefined) return false;
  const marked = markerIn(text)?.clusterUid;
  if (marked === clusterUid) return true;
  const why = marked === undefined ? `its ${MARKER} makes no sense` : `it is cluster ${marked}'s`;
  const hint = `give every cluster a bucket, prefix or directory of its own; if this is right, remove ${MARKER} from it`;
  throw stopped(store, why, hint);
}

/**
 * Before a store is marked: what lies in it must be what the cluster believes in.
 * @param bundles  all that it holds
 * @throws DumpError RETENTION_STOPPED
 */
export function mustFit(store: BundleStore, bundles: readonly BundleView[], records: readonly RecordView[]): void {
  const saved = records.filter(({ state }) => state === "Saved").length;
  const empty = "most likely the volume is not mounted, or --store is not what the agents have";
  if (bundles.length === 0 && saved > 0) throw stopped(store, `it is empty, and ${saved} Coredumps are Saved`, empty);
  const known = new Set(records.map(({ dump }) => dump));
  const ofPods = bundles.filter(({ dump }) => dump !== "");
  if (ofPods.length === 0 || ofPods.some(({ dump }) => known.has(dump))) return;
  const hint = `most likely it is another cluster's; if it is this one's, put ${markerHint} into its ${MARKER}`;
  throw stopped(store, `it bears no mark, and of its ${ofPods.length} bundles none has a Coredump here`, hint);
}

export const mark = (store: BundleStore, clusterUid: string, signal: AbortSignal): Promise<void> =>
  store.writeNote(MARKER, markerText(clusterUid), signal);

const markerHint = '{"version":1,"clusterUid":"<uid of the namespace kube-system>"}';

const stopped = ({ volume }: BundleStore, why: string, hint: string): DumpError =>
  new DumpError("RETENTION_STOPPED", `Cannot manage ${volume}: ${why}`, { hint });
