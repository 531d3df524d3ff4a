/** Whose store it is: the collector marks it on its first visit, and touches nothing under another's mark. */
import { MARKER, markerIn, markerText } from "../bundle/marker.ts";
import { DumpError } from "../domain/failures.ts";
import type { Shelf } from "./shelf.ts";

/**
 * @param mayMark  whether to mark one that bears no mark
 * @returns whether it bears ours
 * @throws DumpError RETENTION_STOPPED when it bears another's, or something else
 */
export async function claim(shelf: Shelf, clusterUid: string, mayMark: boolean, signal: AbortSignal): Promise<boolean> {
  const text = await shelf.readNote(MARKER, signal);
  if (text !== undefined) {
    if (markerIn(text)?.clusterUid === clusterUid) return true;
    throw notOurs(shelf.volume, markerIn(text)?.clusterUid);
  }
  if (mayMark) await shelf.writeNote(MARKER, markerText(clusterUid), signal);
  return mayMark;
}

const notOurs = (volume: string, other: string | undefined): DumpError =>
  new DumpError(
    "RETENTION_STOPPED",
    `Cannot look after ${volume}: ${other === undefined ? `its ${MARKER} makes no sense` : `it is cluster ${other}'s`}`,
    { hint: `give every cluster a bucket, prefix or directory of its own; if this is right, remove ${MARKER} from it` },
  );
