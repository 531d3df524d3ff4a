import type { DumpRecord, State } from "./dump.ts";
import { DumpError } from "./failures.ts";

/** The diagram: a step that is not here cannot happen. docs/architecture.md has it in words. */
const NEXT: Readonly<Record<State, readonly State[]>> = {
  Capturing: ["Captured", "Restricted", "Refused", "Lost", "Evicted", "Deleted"],
  Captured: ["Created", "Restricted", "Refused", "Evicted", "Deleted"],
  // Restricted after all: an earlier version took a process for ordinary without knowing whether it was dumpable.
  Created: ["Allowed", "Denied", "Restricted", "Refused", "Evicted", "Deleted"],
  // Denied after all: its object was lost (etcd restored), so it was registered again, and judged again.
  Allowed: ["Saved", "FailedToSave", "Denied", "Restricted", "Evicted", "Deleted"],
  FailedToSave: ["Saved", "Denied", "Restricted", "Evicted", "Deleted"],
  Saved: ["Deleted"],
  Restricted: ["Refused", "Evicted", "Deleted"],
  Denied: ["Deleted"],
  Refused: ["Deleted"],
  Evicted: ["Deleted"],
  Lost: ["Deleted"],
  Deleted: [],
};

/** States whose very meaning is a decision that the local copy is not needed. An error never leads to one. */
const DROPPED_BY_DECISION: ReadonlySet<State> = new Set(["Denied", "Saved", "Refused", "Evicted", "Deleted"]);

export const mayFollow = (from: State, to: State): boolean => NEXT[from].includes(to);

/** The only gate to `unlink` of a core. */
export const mayDropLocalCopy = (record: Pick<DumpRecord, "state">): boolean => DROPPED_BY_DECISION.has(record.state);

/**
 * The only way to another state; staying in the same one is always allowed (a step taken twice is harmless).
 * @throws DumpError UNEXPECTED on a step that the diagram has not
 */
export function advance(record: DumpRecord, to: State, change: Partial<DumpRecord>, now: Date): DumpRecord {
  if (record.state !== to && !mayFollow(record.state, to)) {
    throw new DumpError("UNEXPECTED", `Cannot take dump ${record.id} from ${record.state} to ${to}: no such step`);
  }
  return { ...record, ...change, state: to, updated: now.toISOString() };
}
