/**
 * Objects in one SQLite file: for one API server, with nothing else to run. The file is ours alone while it is open.
 *
 * `objects` is what is there now. `history` has each change beside what was there before it: that tells watchers what
 * happened, and what was there as of any revision that it reaches back to. Compaction removes its oldest rows.
 *
 * Calls hold this thread: reading for microseconds, writing for an fsync, and it is people who write here.
 */
import { performance } from "node:perf_hooks";
import { Bell } from "../bell.ts";
import { changed, endOf, exists, gone, notThere } from "../keys.ts";
import type {
  Listed,
  ObjectStorage,
  PageQuery,
  StorageEvent,
  StorageUsage,
  StoredItem,
  StoredObject,
} from "../storage.ts";
import { Database, type Sql } from "./database.ts";

const GET = "SELECT value, revision FROM objects WHERE key = ?";
/** As of :revision: what has not changed since then, and what was there before the first change since then. */
const AS_OF = `FROM (
  SELECT key, value, revision FROM objects WHERE key >= :from AND key < :end AND revision <= :revision
  UNION ALL
  SELECT key, previous_value AS value, previous_revision AS revision FROM history
  WHERE revision > :revision AND previous_revision <= :revision AND key >= :from AND key < :end)`;
const LIST = `SELECT key, value, revision ${AS_OF} ORDER BY key LIMIT :limit`;
const COUNT = `SELECT count(*) AS count ${AS_OF}`;
const PUT =
  "INSERT INTO objects VALUES (:key, :value, :revision) ON CONFLICT DO UPDATE SET value = :value, revision = :revision";
const DELETE = "DELETE FROM objects WHERE key = ?";
const RECORD = "INSERT INTO history VALUES (:revision, :atMs, :key, :value, :previousValue, :previousRevision)";
const CHANGES = "SELECT * FROM history WHERE revision > ? AND key >= ? AND key < ? ORDER BY revision LIMIT ?";
const OLDER_THAN = "SELECT coalesce(max(revision), 0) AS revision FROM history WHERE at_ms < ?";
/** Down to which revision the history may stay, so that it takes no more than so many bytes. */
const BYTES_BEHIND = `SELECT coalesce(max(revision), 0) AS revision FROM (
  SELECT revision, sum(octet_length(key) + coalesce(octet_length(value), 0) + coalesce(octet_length(previous_value), 0))
    OVER (ORDER BY revision DESC) AS bytes FROM history) WHERE bytes > ?`;
const USAGE = `SELECT count(*) AS count, coalesce(sum(octet_length(key) + octet_length(value)), 0) AS bytes
  FROM objects WHERE key >= ? AND key < ?`;
/** Changes nothing, and is written all the same. */
const TOUCH = "UPDATE revisions SET current = current";
const REVISIONS = "SELECT current, compacted FROM revisions";
const ADVANCE = "UPDATE revisions SET current = ?";
const COMPACTED = "UPDATE revisions SET compacted = ?";
const FORGET = "DELETE FROM history WHERE revision <= ?";

/** How much of the history stays: what a client may have missed and still go on. */
interface Keep {
  readonly ms: number;
  readonly changes: bigint;
  /** Looked after as soon as half as much was written, too. */
  readonly bytes: number;
  /** Looked after when something is written, no more often than this. */
  readonly everyMs: number;
}
const KEEP: Keep = { ms: 5 * 60_000, changes: 20_000n, bytes: 64 << 20, everyMs: 60_000 };
/** Changes that a watcher reads at once, and about how much of them or of a page's objects is in memory. */
const BATCH = 200;
const BATCH_LENGTH = 8 << 20;
/** Of the history, when the disk is full: what those who watch are about to read. */
const STILL_KEPT = 5n;
/** By how much an update may grow when the disk is full: what says that an object is to go. */
const UPKEEP_BYTES = 256;
const PROGRESS_MS = 5000;
const ALL = -1n;

interface HistoryRow {
  readonly revision: bigint;
  readonly key: string;
  /** Null: it was deleted. */
  readonly value: string | null;
  readonly previous_value: string | null;
  readonly previous_revision: bigint | null;
}

export class SqliteStorage implements ObjectStorage {
  readonly #database: Database;
  readonly #changed = new Bell();
  readonly #closing = new AbortController();
  readonly #keep: Keep;
  #compactAtMs: number;
  #writtenBytes = 0;

  /** @throws DumpError STORAGE_UNAVAILABLE when the file is another's, or cannot be read; SETTINGS_INVALID when it is not a storage */
  constructor(path: string, keep: Keep = KEEP) {
    this.#database = new Database(path);
    this.#keep = keep;
    this.#compactAtMs = performance.now() + keep.everyMs;
  }

  async get(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    signal?.throwIfAborted();
    return this.#database.read((sql) => sql(GET).get(key) as StoredObject | undefined);
  }

  async list(prefix: string, page: PageQuery = {}, signal?: AbortSignal): Promise<Listed> {
    signal?.throwIfAborted();
    return this.#database.read((sql) => {
      const revision = page.revision ?? current(sql);
      known(sql, revision);
      const from = page.after === undefined ? prefix : `${page.after}\0`;
      const range = { from, end: endOf(prefix), revision };
      const limit = page.limit === undefined ? ALL : BigInt(page.limit);
      const rows = sql(LIST).iterate({ ...range, limit }) as unknown as Iterable<StoredItem>;
      const { items, isCut } = upTo(page.limit === undefined ? Number.POSITIVE_INFINITY : BATCH_LENGTH, rows);
      const isAll = !isCut && BigInt(items.length) !== limit;
      const count = isAll ? items.length : Number((sql(COUNT).get(range) as { count: bigint }).count);
      return { items, revision, remaining: count - items.length };
    });
  }

  async create(key: string, value: string, signal?: AbortSignal): Promise<bigint> {
    return this.#write(key, value, undefined, signal);
  }

  async update(key: string, value: string, expectedRevision: bigint, signal?: AbortSignal): Promise<bigint> {
    return this.#write(key, value, expectedRevision, signal);
  }

  async delete(key: string, expectedRevision: bigint, signal?: AbortSignal): Promise<bigint> {
    return this.#write(key, null, expectedRevision, signal);
  }

  /** Each watcher reads the history for itself, as far as it has come: one that is slow takes no memory. */
  async *watch(prefix: string, afterRevision: bigint, signal: AbortSignal): AsyncGenerator<StorageEvent> {
    const end = endOf(prefix);
    const until = AbortSignal.any([signal, this.#closing.signal]);
    let toldMs = performance.now();
    for (let revision = afterRevision; ; ) {
      until.throwIfAborted();
      const { rows, isCut, now } = this.#database.read((sql) => {
        known(sql, revision);
        const changes = sql(CHANGES).iterate(revision, prefix, end, BATCH) as unknown as Iterable<HistoryRow>;
        const { items, isCut } = upTo(BATCH_LENGTH, changes);
        return { rows: items, isCut, now: current(sql) };
      });
      for (const row of rows) yield eventOf(row);
      revision = isCut || rows.length === BATCH ? (rows.at(-1)?.revision ?? revision) : now;
      if (rows.length > 0) continue; // reading took its time: there may be more
      if (performance.now() - toldMs >= PROGRESS_MS) {
        toldMs = performance.now();
        yield { type: "progress", revision };
      } else await this.#changed.heard(toldMs + PROGRESS_MS - performance.now(), until);
    }
  }

  async usage(prefix: string, signal?: AbortSignal): Promise<StorageUsage> {
    signal?.throwIfAborted();
    const { count, bytes } = this.#database.read((sql) => sql(USAGE).get(prefix, endOf(prefix))) ?? {};
    return { count: Number(count), bytes: Number(bytes) };
  }

  /** By a write, as deletions are: what can still delete answers. */
  async ping(): Promise<void> {
    this.#database.write(0, (sql) => sql(TOUCH).run());
  }

  /** Forgets the changes up to `revision`, what is there stays. It does so by itself, too (`Keep`). */
  compact(revision: bigint): void {
    this.#database.write(0, (sql) => {
      if (revision > compacted(sql)) sql(COMPACTED).run(revision);
      sql(FORGET).run(revision);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(this.#database.close());
  }

  /** @param value  null: nothing is to be there @param expected  of what is there; undefined: nothing */
  #write(key: string, value: string | null, expected: bigint | undefined, signal: AbortSignal | undefined): bigint {
    signal?.throwIfAborted();
    const previous = this.#database.read((sql) => sql(GET).get(key) as StoredObject | undefined);
    expect(key, previous, expected);
    const [bytes, before] = [Buffer.byteLength(value ?? ""), Buffer.byteLength(previous?.value ?? "")];
    const isUpkeep = value === null || (previous !== undefined && bytes <= before + UPKEEP_BYTES);
    const written = this.#database.write(isUpkeep ? 0 : key.length + 2 * bytes + before, (sql) => {
      const revision = current(sql) + 1n;
      if (value === null) sql(DELETE).run(key);
      else sql(PUT).run({ key, value, revision });
      const was = { previousValue: previous?.value ?? null, previousRevision: previous?.revision ?? null };
      sql(RECORD).run({ revision, atMs: Date.now(), key, value, ...was });
      sql(ADVANCE).run(revision);
      return revision;
    });
    this.#changed.ring();
    this.#writtenBytes += bytes + before;
    this.#compactNowAndThen(written);
    return written;
  }

  #compactNowAndThen(now: bigint): void {
    const { ms, changes, bytes, everyMs } = this.#keep;
    const isFull = this.#database.isFull;
    if (performance.now() < this.#compactAtMs && this.#writtenBytes < bytes / 2 && !isFull) return;
    [this.#compactAtMs, this.#writtenBytes] = [performance.now() + everyMs, 0];
    try {
      const revision = isFull
        ? now - STILL_KEPT
        : this.#database.read((sql) => {
            const behind = (text: string, most: number) => (sql(text).get(most) as { revision: bigint }).revision;
            return [behind(OLDER_THAN, Date.now() - ms), behind(BYTES_BEHIND, bytes)].reduce(later, now - changes);
          });
      if (revision > 0n) this.compact(revision);
    } catch {
      // What was asked for has been done. Who writes next forgets this, too.
    }
  }
}

const later = (one: bigint, other: bigint): bigint => (one > other ? one : other);

/** Of rows, the first of all that are about so long together; at least one. */
function upTo<R extends { readonly value: string | null }>(length: number, rows: Iterable<R>) {
  const items: R[] = [];
  let left = length;
  for (const row of rows) {
    if (left <= 0) return { items, isCut: true };
    items.push(row);
    left -= row.value?.length ?? 0;
  }
  return { items, isCut: false };
}

const current = (sql: Sql): bigint => (sql(REVISIONS).get() as { current: bigint }).current;
const compacted = (sql: Sql): bigint => (sql(REVISIONS).get() as { compacted: bigint }).compacted;

/** @throws DumpError API_GONE unless the history reaches from that revision to now */
function known(sql: Sql, revision: bigint): void {
  if (revision < compacted(sql) || revision > current(sql)) throw gone(revision);
}

function expect(key: string, previous: StoredObject | undefined, expected: bigint | undefined): void {
  if (previous?.revision === expected) return;
  if (expected === undefined) throw exists(key);
  throw previous ? changed(key, expected) : notThere(key);
}

function eventOf({ key, revision, value, previous_value, previous_revision }: HistoryRow): StorageEvent {
  const previous =
    previous_value === null || previous_revision === null
      ? undefined
      : { value: previous_value, revision: previous_revision };
  if (value === null) return { type: "delete", key, value: previous?.value ?? "", revision, previous };
  return { type: "put", key, value, revision, previous };
}
