/** Bytes of an object in a store: as a bundle's reader asks for them, and as they are sent. */
import { free } from "../bundle/free.ts";
import type { RangeSource } from "../bundle/reader.ts";
import type { DumpSource, Stored } from "../ports/source.ts";

/** Footer, seek table and small files of a bundle of some gigabytes. */
const END_BYTES = 256 << 10;
const FETCH_BYTES = 1 << 20;

/** An object whose first and last bytes stay in memory until they are forgotten: opening a bundle reads little else. */
export class StoredRanges implements RangeSource {
  readonly sizeBytes: number;
  readonly #source: DumpSource;
  readonly #stored: Stored;
  #ends: { readonly fromBytes: number; readonly bytes: Buffer }[] = [];

  constructor(source: DumpSource, stored: Stored) {
    this.#source = source;
    this.#stored = stored;
    this.sizeBytes = stored.sizeBytes;
  }

  async fetchEnds(signal: AbortSignal): Promise<void> {
    const last = Math.max(0, this.sizeBytes - END_BYTES);
    const end = async (fromBytes: number, toBytes: number) => ({
      ...{ fromBytes, bytes: await this.read(fromBytes, toBytes - fromBytes, signal) },
    });
    const isSmall = last < END_BYTES;
    const ends = isSmall ? [end(0, this.sizeBytes)] : [end(0, END_BYTES), end(last, this.sizeBytes)];
    this.#ends = await Promise.all(ends);
  }

  forgetEnds(): void {
    this.#ends = [];
  }

  async read(fromBytes: number, lengthBytes: number, signal: AbortSignal): Promise<Buffer> {
    for (const end of this.#ends) {
      const at = fromBytes - end.fromBytes;
      if (at >= 0 && at + lengthBytes <= end.bytes.length) return end.bytes.subarray(at, at + lengthBytes);
    }
    return await this.#source.read(this.#stored, fromBytes, lengthBytes, signal);
  }
}

/** The object as it is, lent; a piece is fetched while the one before it is taken. */
export async function* storedBytes(
  source: DumpSource,
  stored: Stored,
  fromBytes: number,
  toBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  const fetch = (at: number) => {
    const piece = source.read(stored, at, Math.min(FETCH_BYTES, toBytes - at), ended);
    piece.catch(() => undefined); // looked at when its turn comes, if it comes
    return piece;
  };
  try {
    let next = fromBytes < toBytes ? fetch(fromBytes) : undefined;
    for (let at = fromBytes; next; ) {
      const piece: Buffer = await next;
      at += piece.length;
      next = at < toBytes ? fetch(at) : undefined;
      yield piece;
      free(piece);
    }
  } finally {
    stop.abort();
  }
}
