/** A store whose passing failures are tried again. */
import { mayPass } from "../domain/failures.ts";
import { backoffMs } from "../system/backoff.ts";
import { CLOCK, type Clock } from "./limiter.ts";
import type { DumpSink } from "./ports/sink.ts";
import type { DumpSource } from "./ports/source.ts";

interface Patience {
  readonly attempts: number;
  readonly firstMs: number;
  readonly longestMs: number;
}

/**
 * One more try, against a connection that broke just then. A caller with more time asks again later (what was sent stays sent),
 * and says meanwhile what is wrong.
 */
const PATIENCE: Patience = { attempts: 2, firstMs: 1000, longestMs: 1000 };

/** A client waits for the answer. */
const READER: Patience = { attempts: 4, firstMs: 200, longestMs: 1000 };

/**
 * A sink that tries again when the failure says that it may pass. The pauses double, and are shortened at random, so
 * that the nodes of a cluster do not all come back at once to a store that was away.
 */
export function retrying(sink: DumpSink, patience = PATIENCE, clock = CLOCK, random = Math.random): DumpSink {
  const again = patient(patience, clock, random);
  return {
    volume: sink.volume,
    put: (upload, signal) => again(signal, () => sink.put(upload, signal)),
    discard: (upload, signal) => again(signal, () => sink.discard(upload, signal)),
  };
}

/** A source that tries again likewise. */
export function rereading(source: DumpSource, patience = READER, clock = CLOCK, random = Math.random): DumpSource {
  const again = patient(patience, clock, random);
  return {
    volume: source.volume,
    head: (key, signal) => again(signal, () => source.head(key, signal)),
    read: (stored, from, length, signal) => again(signal, () => source.read(stored, from, length, signal)),
  };
}

const patient =
  ({ attempts, firstMs, longestMs }: Patience, clock: Clock, random: () => number) =>
  async <T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await act();
      } catch (error) {
        if (attempt >= attempts || signal.aborted || !mayPass(error)) throw error;
        await clock.sleep(backoffMs(attempt - 1, longestMs, firstMs, random), signal);
      }
    }
  };
