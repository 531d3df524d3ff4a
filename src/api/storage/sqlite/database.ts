/** The file that a SqliteStorage is: opened for us alone, its statements kept, its failures in our words. */
import { closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { DumpError, reasonOf } from "../../../domain/failures.ts";
import { Reserve } from "./reserve.ts";

/** "core": tells the file from any other program's. */
const APPLICATION = 0x636f7265;
const VERSION = 1;
/** Another of us may be about to end. */
const LOCK_WAIT_MS = 2000;

/**
 * A commit is on the disk when it is answered (FULL), and a power cut leaves it whole or not at all (the log's frames have
 * checksums). EXCLUSIVE keeps others out, and the log's index in our memory: network file systems cannot share one.
 */
const OPENING = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA trusted_schema = OFF;`;

const SCHEMA = `
  CREATE TABLE objects (key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE history (revision INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, key TEXT NOT NULL, value TEXT,
    previous_value TEXT, previous_revision INTEGER);
  CREATE TABLE revisions (current INTEGER NOT NULL, compacted INTEGER NOT NULL);
  INSERT INTO revisions VALUES (1, 0);
  PRAGMA application_id = ${APPLICATION};
  PRAGMA user_version = ${VERSION};`;

export type Sql = (text: string) => StatementSync;

/** SQLite's primary result code of a disk without room. */
const FULL = 13;
/** Pages of the file that must be free besides those that are needed. */
const FREE_BYTES = 64 << 10;

export class Database {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #reserve: Reserve;

  /** @throws DumpError STORAGE_UNAVAILABLE, SETTINGS_INVALID */
  constructor(path: string) {
    this.#path = path;
    this.#database = this.#attempt(() => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      closeSync(openSync(path, "a", 0o600)); // SQLite would make it readable to others
      return new DatabaseSync(path, { readBigInts: true, timeout: LOCK_WAIT_MS });
    });
    try {
      this.#reserve = new Reserve(`${path}-reserve`);
      this.#attempt(() => this.#begin());
      this.#reserve.keep();
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** All that one reads, as of one moment: nothing else happens in between on this thread, nor in the file. */
  read<T>(work: (sql: Sql) => T): T {
    return this.#attempt(() => work(this.#sql));
  }

  /**
   * All of it, or nothing. On a full volume the reserve is given up for what makes room, and for what finds its room in the
   * file. The log never grows beyond a part of the reserve: it is emptied into the file, which then needs as much again.
   * @param needBytes  by how much it may make the file grow; 0 when it makes room
   */
  write<T>(needBytes: number, work: (sql: Sql) => T): T {
    return this.#attempt(() => {
      if (needBytes > 0 && !this.#mayGrow() && !this.#hasRoom(needBytes)) throw this.#full();
      try {
        return this.#transaction(work);
      } catch (error) {
        if (resultOf(error) !== FULL || !this.#hasRoom(needBytes)) throw error;
        this.#reserve.giveUp();
        return this.#transaction(work);
      } finally {
        if (this.isFull) this.#emptyLog();
      }
    });
  }

  #mayGrow(): boolean {
    if (!this.#reserve.keep()) return false;
    const { size: logBytes } = statSync(`${this.#path}-wal`, { throwIfNoEntry: false }) ?? { size: 0 };
    return logBytes < this.#reserve.bytes / 4 || this.#emptyLog();
  }

  /** Whether the disk was full, and may be still. */
  get isFull(): boolean {
    return !this.#reserve.isThere;
  }

  /** Several times over, because pages split. */
  #hasRoom(needBytes: number): boolean {
    if (needBytes === 0) return true;
    return this.#number("freelist_count") * this.#number("page_size") > 4 * needBytes + FREE_BYTES;
  }

  /** @returns whether there was room for it in the file */
  #emptyLog(): boolean {
    try {
      this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      return true;
    } catch {
      return false; // the next write tries again
    }
  }

  #transaction<T>(work: (sql: Sql) => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = work(this.#sql);
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK"); // some failures do that by themselves
      throw error;
    }
  }

  /** @returns the failure for those who still wait */
  close(): DumpError {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
    return this.#closed();
  }

  #begin(): void {
    this.#database.exec(OPENING);
    this.#database.exec("BEGIN EXCLUSIVE");
    const [application, version] = [this.#number("application_id"), this.#number("user_version")];
    if (application === 0 && this.#number("schema_version") === 0) this.#database.exec(SCHEMA);
    else if (application !== APPLICATION || version !== VERSION) throw this.#notOurs(application, version);
    this.#database.exec("COMMIT");
  }

  #number(pragma: string): number {
    return Number(Object.values(this.#database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0]);
  }

  readonly #sql: Sql = (text) => {
    const known = this.#statements.get(text) ?? this.#database.prepare(text);
    this.#statements.set(text, known);
    return known;
  };

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof DumpError) throw error;
      if (this.#database && !this.#database.isOpen) throw this.#closed();
      throw this.#failure(error);
    }
  }

  #failure(cause: unknown): DumpError {
    const [why, hint] = MEANINGS[resultOf(cause)] ?? [reasonOf(cause), HINT];
    return new DumpError("STORAGE_UNAVAILABLE", `Cannot use ${this.#path}: ${why}`, { cause, hint });
  }

  #full(): DumpError {
    const [why = "", hint = ""] = MEANINGS[FULL] ?? [];
    return new DumpError("STORAGE_UNAVAILABLE", `Cannot use ${this.#path}: ${why}`, { hint });
  }

  #closed(): DumpError {
    return new DumpError("STORAGE_UNAVAILABLE", `Cannot use ${this.#path}: it is closed`);
  }

  #notOurs(application: number, version: number): DumpError {
    const why =
      application === APPLICATION ? `it has version ${version}, we know ${VERSION}` : "it is another program's";
    return new DumpError("SETTINGS_INVALID", `Cannot use ${this.#path}: ${why}`, { hint: "correct --database" });
  }
}

const resultOf = (error: unknown): number => Number((error as { errcode?: unknown } | null)?.errcode) & 0xff;

const HINT = "look at the volume; nothing that was answered is lost";

/** By SQLite's primary result code. */
const MEANINGS: Readonly<Record<number, readonly [why: string, hint: string]>> = {
  5: ["another process has it open", "one API server at a time: one replica, strategy Recreate; or use etcd"],
  8: ["it cannot be written", "let the API server write to the volume"],
  11: ["it is damaged", "restore it from a backup, or remove it: endpoints must then be created again, dumps stay"],
  13: ["the disk is full", "make room on the volume, or delete endpoints: that is still possible"],
  26: ["it is not a SQLite file", "correct --database"],
};
