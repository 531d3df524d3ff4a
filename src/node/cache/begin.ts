/** A new entry of the cache, with its lock and its first record. */
import { mkdirSync, rmSync } from "node:fs";
import type { DumpRecord } from "../../domain/dump.ts";
import { DumpError, reasonOf } from "../../domain/failures.ts";
import { flush } from "../../system/durable.ts";
import { writeRecord } from "./record.ts";
import { type Entry, Spool } from "./spool.ts";

/** A dump's directory with its lock held: no other process advances the record. */
export interface OpenEntry extends Disposable {
  readonly spool: Spool;
  readonly entry: Entry;
  /** Waits for record and directory to reach the disk; never rejects: `undefined` or why not. */
  toDisk(): Promise<string | undefined>;
}

/**
 * Makes the dump's directory and its record: from here on no crash is lost silently. The disk is not waited for, nor
 * even asked: a journal's commit would hold up the first writes of the core, and with them the process.
 * @throws DumpError CACHE_UNUSABLE, NOT_PERMITTED
 */
export function beginEntry(dumpDir: string, record: DumpRecord): OpenEntry {
  const spool = Spool.open(dumpDir, true);
  const entry = spool.entry(record.id);
  let lock: Disposable | undefined;
  try {
    mkdirSync(entry.dir, { mode: 0o700 });
    lock = entry.tryLock();
    writeRecord(entry, record);
    const toDisk = () =>
      flush(entry.dir, [entry.record])
        .then(() => flush(spool.dir, []))
        .then(() => undefined, reasonOf);
    return { spool, entry, toDisk, [Symbol.dispose]: () => lock?.[Symbol.dispose]() };
  } catch (cause) {
    undo(entry);
    lock?.[Symbol.dispose]();
    throw new DumpError("CACHE_UNUSABLE", `Cannot begin a dump in ${dumpDir}: ${reasonOf(cause)}`, { cause });
  }
}

/** Without its record the directory would be taken for a killed handler's dump; the caller tells of this one elsewhere. */
function undo(entry: Entry): void {
  try {
    rmSync(entry.dir, { recursive: true, force: true });
  } catch {
    // Ignorable: what made the directory useless keeps it there.
  }
}
