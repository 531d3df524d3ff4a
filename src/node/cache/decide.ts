/**
 * The one gate: a dump comes to another state here, and here alone a core is removed. Record first, core after: a process
 * that is killed in between has said what it was about to do, and the next to open the cache does it.
 * Call all of it with the record's lock held.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import type { DumpRecord } from "../../domain/dump.ts";
import { advance, mayDropLocalCopy, type StateChange } from "../../domain/life-cycle.ts";
import type { State } from "../../domain/states.ts";
import { recordOnDisk, writeRecord } from "./record.ts";
import type { Entry } from "./spool.ts";

/** Writes the record in its next state; where that is a decision against the local copy, the core goes. @returns the record */
export function decide<R extends DumpRecord>(
  entry: Entry,
  record: R,
  to: State,
  change: StateChange,
  now = new Date(),
): R {
  const next = written(entry, record, to, change, now);
  finishDrop(entry, next);
  return next;
}

/** As decide(), and the core goes only when the disk has the record. */
export async function decideOnDisk<R extends DumpRecord>(
  entry: Entry,
  record: R,
  to: State,
  change: StateChange,
  now = new Date(),
): Promise<R> {
  const next = written(entry, record, to, change, now);
  await recordOnDisk(entry);
  finishDrop(entry, next);
  return next;
}

function written<R extends DumpRecord>(entry: Entry, record: R, to: State, change: StateChange, now: Date): R {
  const next = advance(record, to, change, now);
  const gone = mayDropLocalCopy(next) ? { ...next, core: { ...next.core, path: null } } : next;
  writeRecord(entry, gone);
  return gone;
}

/** What holds the process's memory or words. */
const copyOf = (entry: Entry, { reason }: DumpRecord): string[] => [
  ...(reason === "OptedOut" ? [entry.path("facts"), entry.crash] : entry.largeFacts), // its arguments, perhaps its environment
  entry.part,
  entry.core,
];

/** What a decision in the record asks for; without one nothing is removed. */
export function finishDrop(entry: Entry, record: DumpRecord): void {
  if (!mayDropLocalCopy(record)) return;
  for (const path of copyOf(entry, record)) rmSync(path, { recursive: true, force: true });
}

/** Whether a process was killed between the decision and the deed. */
export const isHalfDropped = (entry: Entry, record: DumpRecord): boolean =>
  mayDropLocalCopy(record) && copyOf(entry, record).some((path) => existsSync(path));

/** Removes a core of which no byte is certain. */
export function dropEmpty(entry: Entry): void {
  for (const path of [entry.part, ...entry.largeFacts]) rmSync(path, { force: true });
}

/** Removes all that there is of a dump, its record last: without one, what is left would be a lost dump's. */
export function removeEntry(entry: Entry): void {
  for (const name of readdirSync(entry.dir))
    if (entry.path(name) !== entry.record) rmSync(entry.path(name), { recursive: true, force: true });
  rmSync(entry.dir, { recursive: true, force: true });
}
