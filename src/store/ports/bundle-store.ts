/** What the collector needs of a store, and no more. Putting and reading bundles are other ports. */
export interface BundleStore {
  /** The store's name, as it stands in records: a directory, `s3://bucket/prefix`. */
  readonly volume: string;

  /**
   * All that lies in a folder of the store and below, in no order. What comes or goes meanwhile may be in it or not; what
   * was there before and stays is in it. Whether a name is one of ours the caller has to tell.
   *
   * @param folder  "": all of the store; else it ends with `/`. One that is not there has nothing in it
   * @throws DumpError STORE_UNAVAILABLE, STORE_DENIED, STORE_MISSING, STORE_REFUSED, as all that is here
   */
  list(folder: string, signal: AbortSignal): AsyncIterable<ListedFile>;

  /** Once it has resolved it cannot be read any more. What is not there is removed already. */
  remove(key: string, signal: AbortSignal): Promise<void>;

  /** Uploads that have begun and neither ended nor were aborted; some of them are under way. */
  unfinished(signal: AbortSignal): AsyncIterable<Unfinished>;

  /** What had arrived of it goes. Ended or aborted meanwhile: nothing happens, and no bundle is touched. */
  abort(upload: Unfinished, signal: AbortSignal): Promise<void>;

  /** A small file of the store's own, beside the bundles; undefined when there is none. */
  readNote(name: string, signal: AbortSignal): Promise<string | undefined>;

  /** Whole or not at all, and durable. */
  writeNote(name: string, text: string, signal: AbortSignal): Promise<void>;
}

export interface ListedFile {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modified: Date;
}

export interface Unfinished {
  readonly key: string;
  readonly begun: Date;
  /** The store's own name for it. */
  readonly id: string;
}
