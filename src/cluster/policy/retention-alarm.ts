/**
 * What retention holds back because too much of it would go for reasons that may be wrong: objects that are missing though
 * their deletion was not seen, limits that were broken long ago. What was ordered, or fell due in time, goes. Pure.
 */
import type { Doubtful, Verdicts, Why } from "./retention-world.ts";

interface AlarmLimits {
  /** Percent of all that there are. */
  readonly maxShare: number;
  readonly maxAtOnce: number;
}

/** How many there are, and how many of those that were in doubt have gone just now. */
interface Stock {
  readonly bundles: number;
  readonly bundlesGone: number;
  readonly coredumps: number;
}

interface Sifted {
  readonly go: Verdicts;
  readonly held: Verdicts;
  /** Why anything is held, in words: `71 of 84 bundles (71 NoCoredump)`; undefined: nothing is. */
  readonly alarm: string | undefined;
}

/** @param isHolding  whatever is in doubt is held, however little */
export function sift(verdicts: Verdicts, stock: Stock, limits: AlarmLimits, isHolding = false): Sifted {
  const bundles = verdicts.bundles.filter(({ isDoubtful }) => isDoubtful);
  const going = bundles.length + stock.bundlesGone;
  const all = stock.bundles + stock.bundlesGone;
  const deletions = verdicts.records.filter((record) => record.act === "delete" && record.isDoubtful);
  const before = stock.bundlesGone > 0 ? `, and ${stock.bundlesGone} that just went` : "";
  const tooMuch = [
    ...(isTooMuch(going, all, limits) ? [`${going} of ${all} bundles (${reasons(bundles)}${before})`] : []),
    ...(isTooMuch(deletions.length, stock.coredumps, limits)
      ? [`${deletions.length} of ${stock.coredumps} Coredumps (${reasons(deletions)})`]
      : []),
  ];
  const isHeld = (verdict: Doubtful) => (isHolding || tooMuch.length > 0) && verdict.isDoubtful;
  const part = (takes: (verdict: Doubtful) => boolean): Verdicts => ({
    ...verdicts,
    bundles: verdicts.bundles.filter(takes),
    records: verdicts.records.filter(takes),
    endpoints: verdicts.endpoints.filter(takes),
  });
  const held = { ...part(isHeld), newEndpoints: [], uploads: [] };
  return {
    go: part((verdict) => !isHeld(verdict)),
    held,
    alarm: tooMuch.length > 0 ? tooMuch.join(" and ") : undefined,
  };
}

/** Whether so much would go that something is more likely to be wrong. @param going,all  bundles or Coredumps */
export const isTooMuch = (going: number, all: number, limits: AlarmLimits): boolean =>
  going > limits.maxAtOnce && going * 100 > all * limits.maxShare;

function reasons(verdicts: readonly { readonly why?: Why }[]): string {
  const byReason = Map.groupBy(verdicts, ({ why }) => why ?? "");
  return [...byReason].map(([why, those]) => `${those.length} ${why}`).join(", ");
}
