import { readFileSync } from "node:fs";
import { type DumpRecord, STATES } from "../domain/dump.ts";
import { flush, replaceSync } from "../system/durable.ts";
import type { Entry } from "./spool.ts";

/** The record under its name at once, whole for every reader; durable once `recordOnDisk()` resolves. */
export function writeRecord(entry: Entry, record: DumpRecord): void {
  replaceSync(entry.record, Buffer.from(`${JSON.stringify(record, null, 1)}\n`));
}

/** fsync of the record and of its directory: the small things are on the disk before the core is. */
export const recordOnDisk = (entry: Entry): Promise<void> => flush(entry.dir, [entry.record]);

/** The record, or undefined when there is none that makes sense (a power cut between mkdir and rename). */
export function readRecord(entry: Entry): DumpRecord | undefined {
  try {
    const json = JSON.parse(readFileSync(entry.record, "utf8")) as Partial<DumpRecord> | null;
    return isRecord(json) && json.id === entry.id ? json : undefined;
  } catch {
    return undefined;
  }
}

const isRecord = (json: Partial<DumpRecord> | null): json is DumpRecord =>
  typeof json === "object" &&
  json !== null &&
  json.version === 1 &&
  STATES.includes(json.state as DumpRecord["state"]) &&
  typeof json.core === "object" &&
  typeof json.identity === "object" &&
  Array.isArray(json.threads) &&
  Array.isArray(json.warnings);
