/**
 * Where the API server keeps its objects: texts under keys, with one revision for all of it, as etcd counts. Every change is
 * one revision further, and no revision comes twice, whatever restarts in between. A resourceVersion is such a revision.
 *
 * Keys     are ASCII paths (`/registry/fujitsu.com/coredumpendpoints/<namespace>/<name>`), ordered by their bytes. A prefix
 *          is the beginning of a key and not empty: end it with `/` to mean what is in a folder.
 * Values   are texts (JSON) below a megabyte.
 * Durable  What was answered is on the disk. A caller that gets a failure does not know whether it was done, unless it is
 *          API_CONFLICT or NOT_FOUND: look again.
 * Errors   STORAGE_UNAVAILABLE when there is no answer, or not in time: try again. API_CONFLICT, NOT_FOUND, API_GONE as below.
 *          The signal's reason once it has fired.
 */
export interface ObjectStorage extends AsyncDisposable {
  /** What is there now: no older than anything that anybody was answered before this was asked. */
  get(key: string, signal?: AbortSignal): Promise<StoredObject | undefined>;

  /**
   * What begins with `prefix`, in the order of the keys, all as of one revision.
   * @throws DumpError API_GONE when `revision` has been compacted, or is one that is still to come
   */
  list(prefix: string, page?: PageQuery, signal?: AbortSignal): Promise<Listed>;

  /** @returns its revision @throws DumpError API_CONFLICT when there is one */
  create(key: string, value: string, signal?: AbortSignal): Promise<bigint>;

  /** @returns its new revision @throws DumpError API_CONFLICT when it has another revision than expected; NOT_FOUND */
  update(key: string, value: string, expectedRevision: bigint, signal?: AbortSignal): Promise<bigint>;

  /** @returns the revision of the deletion @throws DumpError API_CONFLICT when it has another revision than expected; NOT_FOUND */
  delete(key: string, expectedRevision: bigint, signal?: AbortSignal): Promise<bigint>;

  /**
   * Every change of what begins with `prefix` after `afterRevision`: each once, in order, for ever; between them, now and
   * then, how far we are (`progress`), so that one who comes back later need not go on from long ago. It survives what the
   * storage survives: a connection that breaks, a restart.
   *
   * It ends only by an error: API_GONE when what comes next has been compacted (or was never: list again), STORAGE_UNAVAILABLE
   * when there was no answer for a while, the signal's reason. A reader that is too slow gets API_GONE.
   * The reader ends it by ceasing to read (`break`).
   */
  watch(prefix: string, afterRevision: bigint, signal: AbortSignal): AsyncIterable<StorageEvent>;

  /** How much there is of what begins with `prefix`. May be some seconds old. */
  usage(prefix: string, signal?: AbortSignal): Promise<StorageUsage>;

  /** Whether it answers now, and takes deletions. @throws DumpError STORAGE_UNAVAILABLE. For /readyz */
  ping(signal?: AbortSignal): Promise<void>;

  /** Watches end with STORAGE_UNAVAILABLE, and so does what is asked from now on. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface StoredObject {
  readonly value: string;
  /** Of its last change. */
  readonly revision: bigint;
}

export interface StoredItem extends StoredObject {
  readonly key: string;
}

export interface StorageUsage {
  readonly count: number;
  /** Of keys and values. */
  readonly bytes: number;
}

export interface PageQuery {
  /** The last key of the page before: this one begins after it. */
  readonly after?: string | undefined;
  /** Default: all. Fewer may come where they are large (megabytes): `remaining` says that there are more. */
  readonly limit?: number | undefined;
  /** As of which revision; what the first page answered with, for all that follow. Default: now. */
  readonly revision?: bigint | undefined;
}

export interface Listed {
  readonly items: readonly StoredItem[];
  /** As of which all of it is; a watch goes on from here. */
  readonly revision: bigint;
  /** How many more there are after these. */
  readonly remaining: number;
}

export type StorageEvent = StorageChange | StorageProgress;

export interface StorageChange {
  readonly type: "put" | "delete";
  readonly key: string;
  /** What it is now; what it was last, when it was deleted. */
  readonly value: string;
  readonly revision: bigint;
  /** What it was before this change; undefined when it was not there. */
  readonly previous: StoredObject | undefined;
}

/** All changes up to this revision have been delivered. */
interface StorageProgress {
  readonly type: "progress";
  readonly revision: bigint;
}
