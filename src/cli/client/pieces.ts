/**
 * A download in pieces: kube-apiserver ends every proxied request after a minute, so each asks for what comes in a few seconds.
 * A piece that breaks off is gone on with from its last byte.
 */
import { mayPass } from "../../domain/failures.ts";
import type { ByteRange } from "../../domain/units.ts";
import { backoffMs, pause } from "../../system/backoff.ts";

/** Well below kube-apiserver's 60 s, however the rate drops meanwhile. */
const PIECE_MS = 8_000;
const LEAST_BYTES = 64 << 10;
const FIRST_BYTES = 1 << 20;
const MOST_BYTES = 64 << 20;
/** In order, pieces wait in memory. */
const MOST_WAITING_BYTES = 4 << 20;
const PARALLEL = 4;
/** Attempts in a row without a byte: a minute, all in all. */
const PATIENCE = 8;

/** What can be downloaded in pieces. */
export interface Bytes {
  readonly lengthBytes: number;
  /** Another one for other bytes. */
  readonly etag: string;
  /** Whether what breaks off has been tried again already. */
  readonly isSteady: boolean;
  /**
   * Where a piece from there on is to end.
   * @param wireBytes   what may come over the wire for it, about
   * @param plainBytes  what it may hold
   */
  pieceEnd(fromBytes: number, wireBytes: number, plainBytes: number): number;
  /** The bytes in [from, to), by one attempt. @throws DumpError */
  read(fromBytes: number, toBytes: number, signal: AbortSignal): AsyncGenerator<Buffer>;
}

/** How much to ask for at once. */
export class Pace {
  bytes = FIRST_BYTES;

  /** So much came in that time. */
  went(bytes: number, ms: number): void {
    const fits = (bytes / Math.max(ms, 1)) * PIECE_MS;
    this.bytes = Math.round(within(LEAST_BYTES, Math.min(fits, this.bytes * 4), MOST_BYTES));
  }

  broke(): void {
    this.bytes = Math.max(LEAST_BYTES, this.bytes >> 1);
  }
}

const within = (least: number, value: number, most: number): number => Math.min(Math.max(value, least), most);

interface How {
  readonly pace: Pace;
  readonly signal: AbortSignal;
  readonly patience?: number;
}

/** The bytes of a range, by as many requests and attempts as it takes. @throws DumpError what does not go away */
export async function* steadily(source: Bytes, { fromBytes, toBytes }: ByteRange, how: How): AsyncGenerator<Buffer> {
  const { pace, signal, patience = source.isSteady ? 1 : PATIENCE } = how;
  for (let at = fromBytes, failures = 0; at < toBytes; ) {
    const [from, to, startMs] = [at, Math.min(toBytes, source.pieceEnd(at, pace.bytes, Infinity)), performance.now()];
    try {
      for await (const chunk of source.read(from, to, signal)) {
        at += chunk.length;
        failures = 0;
        yield chunk;
      }
      pace.went(to - from, performance.now() - startMs);
    } catch (error) {
      if (!mayPass(error) || ++failures >= patience) throw error;
      pace.broke();
      await pause(backoffMs(failures), signal);
      signal.throwIfAborted();
    }
  }
}

/** Several pieces at once, each to `write` as it comes in. */
export async function scattered(
  source: Bytes,
  ranges: readonly ByteRange[],
  how: How,
  write: (chunk: Buffer, atBytes: number) => Promise<void>,
): Promise<void> {
  const left = [...ranges].reverse();
  const stopping = new AbortController();
  const signal = AbortSignal.any([how.signal, stopping.signal]);
  const worker = async (): Promise<void> => {
    for (let next = left.pop(); next; next = left.pop()) {
      const { fromBytes, toBytes } = next;
      const end = Math.min(toBytes, source.pieceEnd(fromBytes, how.pace.bytes, Infinity));
      if (end < toBytes) left.push({ fromBytes: end, toBytes });
      let at = fromBytes;
      for await (const chunk of steadily(source, { fromBytes, toBytes: end }, { ...how, signal })) {
        await write(chunk, at);
        at += chunk.length;
      }
    }
  };
  const workers = Array.from({ length: PARALLEL }, () =>
    worker().catch((error) => {
      stopping.abort(error);
      throw error;
    }),
  );
  const ended = await Promise.allSettled(workers);
  how.signal.throwIfAborted();
  const failed = ended.find(({ status }) => status === "rejected");
  if (failed) throw stopping.signal.reason;
}

/** All of it in order, the next pieces being fetched meanwhile. */
export async function* inOrder(source: Bytes, how: How): AsyncGenerator<Buffer> {
  const stopping = new AbortController();
  const signal = AbortSignal.any([how.signal, stopping.signal]);
  const coming: Promise<Buffer[]>[] = [];
  let asked = 0;
  const ask = (): void => {
    const fromBytes = asked;
    if (fromBytes >= source.lengthBytes) return;
    asked = Math.min(source.lengthBytes, source.pieceEnd(fromBytes, how.pace.bytes, MOST_WAITING_BYTES));
    const piece = Array.fromAsync(steadily(source, { fromBytes, toBytes: asked }, { ...how, signal }));
    piece.catch(() => undefined); // looked at in its turn
    coming.push(piece);
  };
  try {
    for (let count = 0; count < PARALLEL; count++) ask();
    for (let next = coming.shift(); next; next = coming.shift()) {
      const chunks = await next;
      ask();
      yield* chunks;
    }
  } finally {
    stopping.abort();
  }
}
