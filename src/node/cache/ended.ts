/**
 * What is over leaves the cache's directory for `.ended/`: a crash, a scrape and a dump's steps then look through as many
 * dumps as there is work, not as there were.
 * Promise  What lies there holds no core and waits for no step, and nothing comes back from there. What happens to it later (a
 *          deletion, an API that was restored) is written where it lies.
 */
import { dirname } from "node:path";
import type { DumpRecord } from "../../domain/dump.ts";
import { isOver } from "../../domain/states.ts";
import { flush } from "../../system/durable.ts";
import { isUnfinished } from "./abandoned.ts";
import { heldBytes } from "./pressure.ts";
import { readRecord } from "./record.ts";
import type { Entry } from "./spool.ts";

/** By then a running agent has looked through the cache ten times; one that starts later asks the API about all of them once. */
const UNREPORTED_MS = 600_000;

/** Whether the cluster has no part in it, or the agent has had the time to find it. */
export const isSettled = ({ pod, updated }: DumpRecord, now: Date): boolean =>
  pod === null || now.getTime() - Date.parse(updated) > UNREPORTED_MS;

/**
 * Moves those that are over and hold nothing. One whose lock is held, or that the disk does not move, stays.
 * @param isDone whether no step is left to take @throws the disk's own, when the move is not durable
 */
export async function endThoseOver(entries: readonly Entry[], isDone: (record: DumpRecord) => boolean): Promise<void> {
  const [moved] = entries.filter((entry) => {
    try {
      return endIfOver(entry, isDone);
    } catch {
      return false; // Ignorable: it costs the next crash a look
    }
  });
  if (moved) for (const directory of [dirname(moved.dir), dirname(dirname(moved.dir))]) await flush(directory, []);
}

function endIfOver(entry: Entry, isDone: (record: DumpRecord) => boolean): boolean {
  if (!mayEnd(entry, isDone)) return false;
  using lock = entry.tryLock();
  if (!lock || !mayEnd(entry, isDone)) return false;
  entry.end();
  return true;
}

function mayEnd(entry: Entry, isDone: (record: DumpRecord) => boolean): boolean {
  const record = entry.isEnded ? undefined : readRecord(entry);
  if (!record || !isOver(record.state) || record.delivery?.state === "Pending" || !isDone(record)) return false;
  return heldBytes(entry) === 0n && !isUnfinished(entry);
}
