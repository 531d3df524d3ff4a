/** Reads and writes an entry's record. */
import { type DumpRecord, recordFrom } from "../../domain/dump.ts";
import { errnoOf } from "../../domain/failures.ts";
import { flush, replaceSync } from "../../system/durable.ts";
import { readSmall } from "../../system/small-file.ts";
import type { Entry } from "./spool.ts";

/** The record under its name at once, whole for every reader; durable once `recordOnDisk()` resolves. */
export function writeRecord(entry: Entry, record: DumpRecord): void {
  replaceSync(entry.record, Buffer.from(`${JSON.stringify(record, null, 1)}\n`));
}

/** fsync of the record and of its directory: the small things are on the disk before the core is. */
export const recordOnDisk = (entry: Entry): Promise<void> => flush(entry.dir, [entry.record]);

/** The record, or undefined when there is none that makes sense. */
export function readRecord(entry: Entry): DumpRecord | undefined {
  const found = recordOrNot(entry);
  return typeof found === "string" ? undefined : found;
}

/**
 * The record, or what stands in its place. `missing`: no file, or an empty one (a power cut between mkdir and the first
 * fsync); `broken`: no record of this dump; `later`: not ours to change, because a later version wrote it, or the disk
 * does not give it now, or it is longer than any of ours.
 */
export function recordOrNot(entry: Entry): DumpRecord | "missing" | "broken" | "later" {
  try {
    const text = readSmall(entry.record).toString("utf8");
    if (/^\0*$/.test(text)) return "missing"; // some file systems fill with zeros what they had not written yet
    const json = JSON.parse(text) as { version?: unknown } | null;
    if (typeof json?.version === "number" && json.version > 1) return "later";
    const record = json?.version === 1 ? recordFrom(json) : undefined;
    return record?.id === entry.id ? record : "broken";
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return entry.follow() ? recordOrNot(entry) : "missing";
    return errno === undefined ? "broken" : "later";
  }
}
