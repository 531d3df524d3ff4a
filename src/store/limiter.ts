/** A sink that takes no more than so many bytes a second. */
import { pause } from "../system/backoff.ts";
import type { DumpSink, Upload } from "./ports/sink.ts";

/** Time, so that tests need not wait. */
export interface Clock {
  now(): number;
  /** @throws the signal's reason */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const CLOCK: Clock = {
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    await pause(ms, signal);
    signal.throwIfAborted();
  },
};

/**
 * A sink whose uploads, all together, take no more than so many bytes a second from their bundles. A store that sends in
 * parts does so in bursts of one part.
 */
export function limited(sink: DumpSink, bytesPerS: number, clock: Clock = CLOCK): DumpSink {
  let freeAtMs = 0;
  const turn = async (bytes: number, signal: AbortSignal) => {
    const startMs = Math.max(clock.now(), freeAtMs);
    freeAtMs = startMs + (bytes / bytesPerS) * 1000;
    if (startMs > clock.now()) await clock.sleep(startMs - clock.now(), signal);
  };
  return {
    volume: sink.volume,
    put: (upload, signal) => sink.put(slowed(upload, turn), signal),
    discard: (upload, signal) => sink.discard(upload, signal),
  };
}

function slowed(upload: Upload, turn: (bytes: number, signal: AbortSignal) => Promise<void>): Upload {
  return {
    ...upload,
    get noted() {
      return upload.noted;
    },
    async *bytes(fromBytes, signal) {
      for await (const chunk of upload.bytes(fromBytes, signal)) {
        await turn(chunk.length, signal);
        yield chunk;
      }
    },
  };
}
