/** How what goes on for ever waits, and tries again. */
import { setTimeout as sleep } from "node:timers/promises";

/**
 * How long to wait after so many failures in a row: doubled each time, and up to half of it taken off by chance, so that the
 * nodes of a cluster do not all come back at once.
 */
export function backoffMs(
  failures: number,
  mostMs = 30_000,
  firstMs = 200,
  random: () => number = Math.random,
): number {
  return Math.min(firstMs * 2 ** Math.min(failures, 20), mostMs) * (0.5 + random() / 2);
}

/** Ends early, without an error, when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

/**
 * Does `act` every so often until the signal. Never throws: what fails is reported, and tried again.
 * @param onProblem  gets what went wrong, and undefined each time that all was well
 */
export async function repeat(
  act: () => unknown,
  everyMs: number,
  onProblem: (problem: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  for (; !signal.aborted; await pause(everyMs, signal)) {
    try {
      await act();
      onProblem(undefined);
    } catch (error) {
      if (error !== signal.reason) onProblem(error); // what the signal ended has not failed
    }
  }
}
