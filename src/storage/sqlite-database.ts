/** The file that a SqliteStorage is: opened for us alone, its statements kept, its failures in our words. */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { DumpError, reasonOf } from "../domain/failures.ts";

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

export class Database {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @throws DumpError STORAGE_UNAVAILABLE, SETTINGS_INVALID */
  constructor(path: string) {
    this.#path = path;
    this.#database = this.#attempt(() => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      closeSync(openSync(path, "a", 0o600)); // SQLite would make it readable to others
      return new DatabaseSync(path, { readBigInts: true, timeout: LOCK_WAIT_MS });
    });
    try {
      this.#attempt(() => this.#begin());
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** All that one reads, as of one moment: nothing else happens in between on this thread, nor in the file. */
  read<T>(work: (sql: Sql) => T): T {
    return this.#attempt(() => work(this.#sql));
  }

  /** All of it, or nothing. */
  write<T>(work: (sql: Sql) => T): T {
    return this.#attempt(() => {
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        const result = work(this.#sql);
        this.#database.exec("COMMIT");
        return result;
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK"); // some failures do that by themselves
        throw error;
      }
    });
  }

  /** @returns what whoever still waits is to be told */
  close(): DumpError {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
    return this.#closed();
  }

  #begin(): void {
    this.#database.exec(OPENING);
    this.#database.exec("BEGIN EXCLUSIVE");
    const number = (pragma: string) => Number(Object.values(this.#database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0]);
    const [application, version] = [number("application_id"), number("user_version")];
    if (application === 0 && number("schema_version") === 0) this.#database.exec(SCHEMA);
    else if (application !== APPLICATION || version !== VERSION) throw this.#notOurs(application, version);
    this.#database.exec("COMMIT");
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
    const { errcode } = cause as { errcode?: unknown };
    const [why, hint] = MEANINGS[Number(errcode) & 0xff] ?? [reasonOf(cause), HINT];
    return new DumpError("STORAGE_UNAVAILABLE", `Cannot use ${this.#path}: ${why}`, { cause, hint });
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

const HINT = "look at the volume; nothing that was answered is lost";

/** By SQLite's primary result code. */
const MEANINGS: Readonly<Record<number, readonly [why: string, hint: string]>> = {
  5: ["another process has it open", "one API server at a time: one replica, strategy Recreate; or use etcd"],
  8: ["it cannot be written", "let the API server write to the volume"],
  11: ["it is damaged", "restore it from a backup, or remove it: endpoints are then to be created anew, dumps stay"],
  13: ["the disk is full", "make room on the volume"],
  26: ["it is no SQLite file", "correct --database"],
};
