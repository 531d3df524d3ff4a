/**
 * The quota's verdicts: pure, from the objects as they are. `used` is never counted up or down, only added up anew from the
 * dumps that hold storage, so that a replay, a crash between two writes or a second controller cannot count a dump twice.
 */
import { formatQuantity, parseQuantity, type Quantity } from "../domain/quantity.ts";

/** What the verdicts need of a Coredump. Text is as the API has it. */
export interface Charge {
  readonly name: string;
  readonly state: string;
  /** spec.size: bytes held, holes not counted; null until it is set, or when it is no quantity. */
  readonly sizeNanos: bigint | null;
  /** Milliseconds since the epoch: when it crashed, else when its object was made. */
  readonly timeMs: number;
}

export interface Quota {
  readonly name: string;
  /** spec.hard as written. */
  readonly hard: string;
  /** status.used and status.hard as written; undefined while nobody has set them. */
  readonly statusUsed: string | undefined;
  readonly statusHard: string | undefined;
}

export interface Verdict<C extends Charge> {
  readonly dump: C;
  /** Why not; null when it is allowed. */
  readonly denial: string | null;
}

export interface Plan<C extends Charge> {
  /** In the order in which they were judged. */
  readonly allowed: readonly Verdict<C>[];
  readonly denied: readonly Verdict<C>[];
  /** Quotas whose status is not what it will be when the verdicts stand. */
  readonly statuses: readonly { readonly name: string; readonly used: string; readonly hard: string }[];
  /** Whether somebody counted otherwise: another controller at work, one that died between two writes, or an old view. */
  readonly doubtful: boolean;
  /** Quotas whose hard limit cannot be read. While there is one, nothing is judged: Denied would be for ever. */
  readonly unreadable: readonly string[];
}

/** A failed upload is tried again, so its dump still holds what it was allowed (docs/architecture.md, Controller). */
const HOLDS_STORAGE: ReadonlySet<string> = new Set(["Allowed", "Saved", "FailedToSave"]);

/**
 * Judges what waits in one namespace, oldest first; equal to the limit is allowed; all quotas must hold; none is no limit.
 * A dump without a size is not ready, and left alone.
 */
export function judge<C extends Charge>(dumps: readonly C[], quotas: readonly Quota[]): Plan<C> {
  const limits = quotas.toSorted(byName).map((quota) => ({ quota, hard: parseQuantity(quota.hard) }));
  const unreadable = limits.filter(({ hard }) => !hard).map(({ quota }) => quota.name);
  const before = usedBy(dumps);
  let used = before;
  const verdicts: Verdict<C>[] = [];
  for (const dump of unreadable.length > 0 ? [] : dumps.filter(isWaiting).toSorted(byAge)) {
    const total = used + (dump.sizeNanos ?? 0n);
    const exceeded = limits.find(({ hard }) => hard && total > hard.nanos);
    verdicts.push({ dump, denial: exceeded?.hard ? denialBy(exceeded.quota, exceeded.hard, total) : null });
    if (!exceeded) used = total;
  }
  const statuses = limits.flatMap(({ quota, hard }) => (hard ? statusOf(quota, hard, used) : []));
  return {
    allowed: verdicts.filter(({ denial }) => denial === null),
    denied: verdicts.filter(({ denial }) => denial !== null),
    statuses,
    doubtful: limits.some(({ quota }) => counted(quota.statusUsed, before) === false),
    unreadable,
  };
}

export function usedBy(dumps: readonly Charge[]): bigint {
  return dumps.reduce((sum, { state, sizeNanos }) => (HOLDS_STORAGE.has(state) ? sum + (sizeNanos ?? 0n) : sum), 0n);
}

const isWaiting = ({ state, sizeNanos }: Charge): boolean =>
  state === "Created" && sizeNanos !== null && sizeNanos >= 0n;

/** The predecessor's words, which its users' scripts look for. */
const denialBy = (quota: Quota, hard: Quantity, totalNanos: bigint): string =>
  `Quota exceed, required ${formatQuantity({ nanos: totalNanos, format: hard.format })}, but ${quota.name} has only ${formatQuantity(hard)}`;

function statusOf(quota: Quota, hard: Quantity, usedNanos: bigint) {
  const status = {
    name: quota.name,
    used: formatQuantity({ nanos: usedNanos, format: hard.format }),
    hard: quota.hard,
  };
  const stands = counted(quota.statusUsed, usedNanos) === true && quota.statusHard === quota.hard;
  return stands ? [] : [status];
}

/** Whether the written sum is this one; undefined while none is written. */
const counted = (written: string | undefined, nanos: bigint): boolean | undefined =>
  written === undefined ? undefined : parseQuantity(written)?.nanos === nanos;

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
const byAge = (a: Charge, b: Charge): number => a.timeMs - b.timeMs || byName(a, b);
