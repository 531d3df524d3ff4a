/**
 * The collector's own note in the store: since when pods, and Coredumps of bundles, have been missing, and which bundles are to
 * go because a deletion was seen. It is what makes deadlines and orders outlive us. One that cannot be read means that they
 * begin again, which only keeps things longer.
 */
import type { Missed, Order } from "../policy/retention-world.ts";

export const NOTE = ".coredump-detector-gc.json";

const ORDERS: ReadonlySet<unknown> = new Set<Order>(["NamespaceDeleted", "OwnerDeleted", "PodDeleted"]);

export function noteText(clusterUid: string, { pods, orphans, ordered }: Missed): string {
  const lists = {
    ...{ podsGone: entries(pods), orphans: entries(orphans) },
    ...(ordered.size > 0 && { ordered: Object.fromEntries([...ordered].sort()) }),
  };
  return `${JSON.stringify({ version: 1, clusterUid, ...lists })}\n`;
}

/** @returns nothing missed when it is none, or another cluster's */
export function missedIn(text: string | undefined, clusterUid: string): Missed {
  try {
    const note = JSON.parse(text ?? "") as Partial<Record<string, unknown>>;
    if (note["version"] === 1 && note["clusterUid"] === clusterUid)
      return { pods: times(note["podsGone"]), orphans: times(note["orphans"]), ordered: orders(note["ordered"]) };
  } catch {
    // as said
  }
  return { pods: new Map(), orphans: new Map(), ordered: new Map() };
}

/** Of two rounds, the second over a part of what the first was over. */
export const merged = (all: Missed, part: Missed): Missed => ({
  pods: new Map([...all.pods, ...part.pods]),
  orphans: new Map([...all.orphans, ...part.orphans]),
  ordered: new Map([...all.ordered, ...part.ordered]),
});

const entries = (times: ReadonlyMap<string, number>): Record<string, string> =>
  Object.fromEntries([...times].sort().map(([what, ms]) => [what, new Date(ms).toISOString()]));

function times(json: unknown): Map<string, number> {
  if (typeof json !== "object" || json === null) return new Map();
  return new Map(
    Object.entries(json).flatMap(([what, time]) => {
      const ms = typeof time === "string" ? Date.parse(time) : Number.NaN;
      return Number.isNaN(ms) ? [] : [[what, ms] as const];
    }),
  );
}

function orders(json: unknown): Map<string, Order> {
  if (typeof json !== "object" || json === null) return new Map();
  return new Map(Object.entries(json).filter((entry): entry is [string, Order] => ORDERS.has(entry[1])));
}
