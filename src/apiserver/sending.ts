import { once } from "node:events";
import type { ServerResponse } from "node:http";

/** A reader that takes nothing for so long is gone, or wants us to hold what it does not read. */
const STALL_MS = 60_000;

/**
 * Writes what comes, no faster than it is read; the answer's end is the caller's.
 * @returns bytes written @throws the signal's reason; Error when the reader stalls
 */
export async function send(
  response: ServerResponse,
  chunks: AsyncIterable<string | Buffer>,
  signal: AbortSignal,
): Promise<number> {
  let bytes = 0;
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    bytes += Buffer.byteLength(chunk);
    if (response.write(chunk)) continue;
    const stalled = AbortSignal.timeout(STALL_MS);
    await once(response, "drain", { signal: AbortSignal.any([signal, stalled]) }).catch(() => {
      signal.throwIfAborted();
      throw new Error(`the reader took nothing for ${STALL_MS / 1000} s`);
    });
  }
  return bytes;
}

/** Fires when the client is gone before it was answered whole. */
export function untilGone(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort(new Error("the client is gone"));
  });
  return gone.signal;
}
