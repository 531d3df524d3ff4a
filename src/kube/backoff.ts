import { setTimeout as sleep } from "node:timers/promises";

const FIRST_MS = 200;
const MOST_MS = 30_000;

/** How long to wait behind so many failures in a row: doubled each time, and half of it by chance, lest all come at once. */
export function backoffMs(failures: number, mostMs: number = MOST_MS): number {
  const wholeMs = Math.min(FIRST_MS * 2 ** Math.min(failures, 20), mostMs);
  return wholeMs / 2 + (Math.random() * wholeMs) / 2;
}

/** Ends early, without an error, when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
