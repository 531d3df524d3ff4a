/** What the agent does for the cache as a whole: scans, old records, sums. */
import { existsSync, watch } from "node:fs";
import { join } from "node:path";
import type { DumpRecord } from "../../domain/dump.ts";
import { isDumpId, timeOf } from "../../domain/id.ts";
import { isOver } from "../../domain/states.ts";
import type { Cache } from "../../node/cache/cache.ts";
import { heldBytes } from "../../node/cache/pressure.ts";
import { readRecord } from "../../node/cache/record.ts";
import type { Spool } from "../../node/cache/spool.ts";

/** Removes records that hold nothing and are older than `keepMs`. @returns how many */
export function forgetOld(cache: Cache, keepMs: number, now: Date): number {
  let forgotten = 0;
  const isOld = (timeMs: number) => now.getTime() - timeMs >= keepMs;
  for (const entry of cache.spool.all()) {
    const record = isOld(timeOf(entry.id)) && readRecord(entry); // the younger ones are not read: there are many
    if (!record || !isOver(record.state) || !isOld(Date.parse(record.updated))) continue;
    try {
      cache.forget(record);
      forgotten++;
    } catch {
      // Another process is at work on it: next time.
    }
  }
  return forgotten;
}

/** Bytes that a namespace's dumps hold here. */
export function heldBy(spool: Spool, namespace: string): bigint {
  let sum = 0n;
  for (const entry of spool.entries()) {
    const bytes = heldBytes(entry);
    if (bytes > 0n && readRecord(entry)?.pod?.namespace === namespace) sum += bytes;
  }
  return sum;
}

/** Dumps that may want a step: all but those that are over, and reported as over. */
export const isOpen = (record: DumpRecord): boolean =>
  !isOver(record.state) || (record.pod !== null && record.cluster === null && record.state !== "Deleted");

/** New dumps as their directories appear; undefined where watching is not possible, and only scans find them. */
export function watchCache(dir: string, seen: (id: string) => void): Disposable | undefined {
  try {
    const watcher = watch(dir, (_, name) => {
      if (name && isDumpId(name) && existsSync(join(dir, name))) seen(name); // or it has just gone
    });
    watcher.on("error", () => watcher.close());
    return { [Symbol.dispose]: () => watcher.close() };
  } catch {
    return undefined; // out of inotify watches
  }
}
