import { DumpError, FAILURES, type FailureCode } from "../domain/failures.ts";
import type { DumpSink } from "../upload/sink.ts";
import { CLOCK, type Clock } from "./limiter.ts";

export interface Patience {
  readonly attempts: number;
  readonly firstMs: number;
  readonly longestMs: number;
}

/** About a minute. Whoever has more time asks again later: what was sent stays sent. */
const PATIENCE: Patience = { attempts: 6, firstMs: 1000, longestMs: 30_000 };

/**
 * A sink that tries again when the failure says that it may pass. The pauses double, and are shortened at random, so
 * that the nodes of a cluster do not all come back at once to a store that was away.
 */
export function retrying(sink: DumpSink, patience = PATIENCE, clock: Clock = CLOCK, random = Math.random): DumpSink {
  const { attempts, firstMs, longestMs } = patience;
  const again = async <T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await act();
      } catch (error) {
        if (attempt >= attempts || signal.aborted || !mayPass(error)) throw error;
        const pauseMs = Math.min(longestMs, firstMs * 2 ** (attempt - 1));
        await clock.sleep(pauseMs * (0.5 + random() / 2), signal);
      }
    }
  };
  return {
    volume: sink.volume,
    put: (upload, signal) => again(signal, () => sink.put(upload, signal)),
    discard: (upload, signal) => again(signal, () => sink.discard(upload, signal)),
  };
}

const mayPass = (error: unknown): boolean => error instanceof DumpError && FAILURES[error.code as FailureCode].retry;
