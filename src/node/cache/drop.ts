/** Removes what an entry holds, by a decision. */
import { existsSync, rmSync } from "node:fs";
import type { DumpRecord } from "../../domain/dump.ts";
import { mayDropLocalCopy } from "../../domain/life-cycle.ts";
import type { Entry } from "./spool.ts";

/** All that holds what the process held, and what is large beside it. */
const copyOf = (entry: Entry, { reason }: DumpRecord): string[] => [
  ...(reason === "OptedOut" ? [entry.path("facts"), entry.crash] : entry.largeFacts), // its arguments, perhaps its environment
  entry.part,
  entry.core,
];

/** The only place where a core is removed, and only for a decision that the record, which is written first, states. */
export function dropLocalCopy(entry: Entry, record: DumpRecord): void {
  if (!mayDropLocalCopy(record)) return;
  for (const path of copyOf(entry, record)) rmSync(path, { recursive: true, force: true });
}

/** Whether whoever was to drop it was killed between the decision and the deed. */
export const isHalfDropped = (entry: Entry, record: DumpRecord): boolean =>
  mayDropLocalCopy(record) && copyOf(entry, record).some((path) => existsSync(path));
