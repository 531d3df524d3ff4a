/** Sends bytes to a client, at the client's pace and no further ahead. */
import type { ServerResponse } from "node:http";

/** A reader that takes nothing for so long is gone, or wants us to hold what it does not read. */
const STALL_MS = 60_000;

/**
 * Writes what comes, no faster than it is read; the answer's end is the caller's. Bytes are asked for only when those
 * before them are gone: their lender takes them back.
 * @returns bytes written @throws the signal's reason; Error when the reader stalls
 */
export async function send(
  response: ServerResponse,
  chunks: AsyncIterable<string | Buffer>,
  signal: AbortSignal,
): Promise<number> {
  let bytes = 0;
  const stalled = new AbortController();
  const stall = () => stalled.abort(new Error(`the reader took nothing for ${STALL_MS / 1000} s`));
  const timer = setTimeout(stall, STALL_MS).unref();
  const ended = AbortSignal.any([signal, stalled.signal]);
  try {
    for await (const chunk of chunks) {
      ended.throwIfAborted();
      bytes += Buffer.byteLength(chunk);
      timer.refresh();
      await taken(response, chunk, ended);
    }
  } finally {
    clearTimeout(timer);
  }
  return bytes;
}

/** Until text has room, or bytes are gone. A write that fails shows in the signal: then the connection is closed. */
async function taken(response: ServerResponse, chunk: string | Buffer, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  const hasRoom = response.write(chunk, (error) => {
    if (!error) resolve();
  });
  if (hasRoom && typeof chunk === "string") resolve();
  await promise.finally(() => signal.removeEventListener("abort", stop));
}

/** Fires when the client is gone before it was answered whole. */
export function untilGone(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort(new Error("the client is gone"));
  });
  return gone.signal;
}
