/** The only ways of a record to another state, and to losing its core. */
import type { DumpRecord } from "./dump.ts";
import { DumpError } from "./failures.ts";
import { isDecision, mayFollow, type State } from "./states.ts";

/** The only gate to `unlink` of a core. */
export const mayDropLocalCopy = (record: Pick<DumpRecord, "state">): boolean => isDecision(record.state);

/** What a step changes besides the state; not whose the dump is. */
export type StateChange = Partial<Omit<DumpRecord, "pod">>;

/**
 * The only way to another state; staying in the same one is always allowed (a step taken twice is harmless).
 * @throws DumpError UNEXPECTED on a step that the diagram has not
 */
export function advance<R extends DumpRecord>(record: R, to: State, change: StateChange, now: Date): R {
  if (record.state !== to && !mayFollow(record.state, to)) {
    throw new DumpError("UNEXPECTED", `Cannot take dump ${record.id} from ${record.state} to ${to}: no such step`);
  }
  return { ...record, ...change, state: to, updated: now.toISOString() };
}
