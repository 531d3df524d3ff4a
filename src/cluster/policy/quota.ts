/**
 * The quota's verdicts: pure, from the objects as they are. `used` is never counted up or down, only added up again from the
 * dumps that hold storage, so that a replay, a crash between two writes or a second controller cannot count a dump twice.
 */
import {
  formatQuantity,
  parseQuantity,
  type Quantity,
  readableQuantity,
  shortQuantity,
} from "../../domain/quantity.ts";
import { isCharged } from "../../domain/states.ts";

/** What the verdicts need of a Coredump. Text is as the API has it. */
export interface Charge {
  readonly name: string;
  readonly state: string;
  /** spec.size: bytes held, holes not counted; null until it is set, or when it is not a quantity. */
  readonly sizeNanos: bigint | null;
  /** Milliseconds since the epoch: when it crashed, else when its object was made. */
  readonly timeMs: number;
}

export interface Quota {
  readonly name: string;
  /** spec.hard as written. */
  readonly hard: string;
  /** status.used and status.hard as written; undefined while they are not set. */
  readonly statusUsed: string | undefined;
  readonly statusHard: string | undefined;
}

export interface QuotaVerdict<C extends Charge> {
  readonly dump: C;
  /** Why not; null when it is allowed. */
  readonly denial: string | null;
}

export interface Judgement<C extends Charge> {
  /** In the order in which they were judged. */
  readonly allowed: readonly QuotaVerdict<C>[];
  readonly denied: readonly QuotaVerdict<C>[];
  /** What is held before and after, in billionths of a byte. */
  readonly beforeNanos: bigint;
  readonly afterNanos: bigint;
  /** Quotas whose hard limit cannot be read. While there is one, nothing is judged: Denied would be for ever. */
  readonly unreadable: readonly string[];
}

/**
 * Judges what waits in one namespace, oldest first; equal to the limit is allowed; all quotas must hold; none is no limit.
 * A dump without a size is not ready, and left alone.
 */
export function judge<C extends Charge>(dumps: readonly C[], quotas: readonly Quota[]): Judgement<C> {
  const limits = quotas.toSorted(byName).map((quota) => ({ quota, hard: parseQuantity(quota.hard) }));
  const unreadable = limits.filter(({ hard }) => !hard).map(({ quota }) => quota.name);
  const beforeNanos = usedBy(dumps);
  let afterNanos = beforeNanos;
  const verdicts: QuotaVerdict<C>[] = [];
  for (const dump of unreadable.length > 0 ? [] : dumps.filter(isWaiting).sort(byAge)) {
    const total = afterNanos + (dump.sizeNanos ?? 0n);
    const exceeded = limits.find(({ hard }) => hard && total > hard.nanos);
    verdicts.push({ dump, denial: exceeded?.hard ? denialBy(exceeded.quota, exceeded.hard, total) : null });
    if (!exceeded) afterNanos = total;
  }
  const { allowed = [], denied = [] } = Object.groupBy(verdicts, ({ denial }) =>
    denial === null ? "allowed" : "denied",
  );
  return { allowed, denied, beforeNanos, afterNanos, unreadable };
}

export function usedBy(dumps: readonly Charge[]): bigint {
  return dumps.reduce((sum, { state, sizeNanos }) => (isCharged(state) ? sum + (sizeNanos ?? 0n) : sum), 0n);
}

const isWaiting = ({ state, sizeNanos }: Charge): boolean =>
  state === "Created" && sizeNanos !== null && sizeNanos >= 0n;

/** The predecessor's words, which its users' scripts look for. */
const denialBy = (quota: Quota, hard: Quantity, totalNanos: bigint): string =>
  `Quota exceed, required ${readableQuantity({ nanos: totalNanos, format: hard.format })}, but ${quota.name} has only ${formatQuantity(hard)}`;

/** The status that a quota should have when so much is held; undefined when it says that already, in whatever way. */
export function statusFor(quota: Quota, usedNanos: bigint): { used: string; hard: string } | undefined {
  const hard = parseQuantity(quota.hard);
  if (!hard || (isCounted(quota, usedNanos) && quota.statusHard === quota.hard)) return undefined;
  return { used: shortQuantity({ nanos: usedNanos, format: hard.format }), hard: quota.hard };
}

/** Whether its status says that so much is held. */
export const isCounted = ({ statusUsed }: Quota, usedNanos: bigint): boolean =>
  parseQuantity(statusUsed)?.nanos === usedNanos;

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
const byAge = (a: Charge, b: Charge): number => a.timeMs - b.timeMs || byName(a, b);
