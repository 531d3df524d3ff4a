/** What the download needs of a store, and no more. Putting, listing and removing are other ports. */
export interface DumpSource {
  /** The store's name, as it stands in records: a directory, `s3://bucket/prefix`. */
  readonly volume: string;

  /** @throws DumpError NOT_FOUND when nothing lies under the key; STORE_… as read() does */
  head(key: string, signal: AbortSignal): Promise<Stored>;

  /**
   * Exactly these bytes, in memory that is the caller's, of exactly that version: what was replaced meanwhile is an
   * error, never a mixture of both. Once the signal has fired it rejects soon, with the signal's reason.
   *
   * @throws DumpError NOT_FOUND when it is gone, STORE_CORRUPT when it is another one or has no such bytes,
   *         STORE_UNAVAILABLE, STORE_DENIED, STORE_MISSING, STORE_REFUSED
   */
  read(stored: Stored, fromBytes: number, lengthBytes: number, signal: AbortSignal): Promise<Buffer>;
}

/** A bundle as it lies in the store at one moment. */
export interface Stored {
  readonly key: string;
  readonly sizeBytes: number;
  /** Another one for other bytes under the same key. */
  readonly version: string;
}
