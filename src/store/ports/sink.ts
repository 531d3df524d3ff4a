/** What the uploader needs of a store, and no more. Reading, listing and removing are other, smaller ports. */
import type { DumpBundle } from "../../domain/dump.ts";

export interface DumpSink {
  /** The store's name, as it stands in records: a directory, `s3://bucket/prefix`. */
  readonly volume: string;

  /**
   * Resolves only when the bundle is durable under its key and what the store says of it is what was sent.
   *
   * - Atomic: readers see the whole bundle under its key, or nothing.
   * - Putting the same key again is harmless, also at the same time as another attempt's leftovers are there.
   * - What a killed or failed attempt had sent is not sent again: the sink notes it (`Upload.note`), and keeps it.
   * - Memory is bounded whatever the bundle's size.
   * - Once the signal has fired it rejects soon, with the signal's reason, and what was sent stays for the next attempt.
   *
   * @throws DumpError STORE_UNAVAILABLE, STORE_DENIED, STORE_MISSING, STORE_FULL, STORE_CORRUPT, STORE_REFUSED; what
   *         `Upload.bytes` throws passes through
   */
  put(upload: Upload, signal: AbortSignal): Promise<DumpBundle>;

  /**
   * Removes what attempts that never came to their end left in the store; a bundle under its key stays. For dumps that
   * is not to be stored any more. @throws as put() does
   */
  discard(upload: UnwantedUpload, signal: AbortSignal): Promise<void>;
}

export type UnwantedUpload = Pick<Upload, "key" | "noted" | "note">;

/** A bundle on its way. */
export interface Upload {
  readonly key: string;
  /** The same for the same bytes; what was noted under another one is of no use any more. */
  readonly fingerprint: string;
  /** No less than the bundle's length, which is known only at its end. */
  readonly maxBytes: number;
  /** For stores that keep words beside an object; names and values are ASCII. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The bundle from that byte on: the same bytes every time. Chunks are the taker's to keep. */
  bytes(fromBytes: number, signal: AbortSignal): AsyncIterable<Buffer>;
  /** What a sink noted last: by this upload, or by an earlier one of this dump to whatever store. */
  readonly noted: unknown;
  /** Kept until the next note, also when we are killed; a note that is lost in a power cut costs a second transfer only. */
  note(what: unknown): void;
}
