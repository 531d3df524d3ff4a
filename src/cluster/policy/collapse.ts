/**
 * Which records of a namespace give way when there are too many that hold no storage (a crash loop whose dumps are all
 * denied): the oldest, each counted by a younger one of its kind. Pure.
 */

import { isGone } from "../../domain/states.ts";

/** What it needs of a Coredump. */
export interface Idle {
  readonly name: string;
  readonly uid: string;
  readonly state: string;
  /** Same kind of crash: same container, executable and so on. */
  readonly likeness: string;
  readonly timeMs: number;
  /** uids of those that it has counted last, which may be there still. */
  readonly counted: readonly string[];
}

interface Collapse<R extends Idle> {
  /** Counted already, and only left over from a controller that died in between. */
  readonly spent: readonly R[];
  readonly groups: readonly { readonly heir: R; readonly records: readonly R[] }[];
}

/** @param most  records without storage that may stay. @param batch  how many may go at once */
export function collapse<R extends Idle>(records: readonly R[], most: number, batch: number): Collapse<R> {
  const counted = new Set(records.flatMap((record) => record.counted));
  const idle = records.filter(({ state }) => isGone(state));
  const spent = idle.filter(({ uid }) => counted.has(uid));
  const rest = idle
    .filter(({ uid }) => !counted.has(uid))
    .sort((a, b) => a.timeMs - b.timeMs || (a.name < b.name ? -1 : 1));
  const surplus = rest.splice(0, Math.min(Math.max(rest.length - Math.max(most, 1), 0), batch));
  const byHeir = Map.groupBy(surplus, (record) => rest.find((other) => alike(record, other)) ?? rest[0]);
  const groups = [...byHeir].flatMap(([heir, records]) => (heir ? [{ heir, records }] : []));
  return { spent, groups };
}

const alike = (a: Idle, b: Idle): boolean => a.state === b.state && a.likeness === b.likeness;
