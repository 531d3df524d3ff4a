/**
 * The cache's directory: one directory a dump, and nothing else decides what is to be done.
 *
 *   <dump-dir>/<id>/record.json   always whole (temp, rename)
 *                  /core.part     bytes are coming in, or their handler was killed
 *                  /core          as much as was kept; the record says whether that is all
 *                  /facts/…  /logs/…  pod.json container.json image.json crash.json
 *                  /lock          held while a process advances the record
 *   <dump-dir>/.ended/<id>/…      the same, once it is over and holds nothing (ended.ts)
 *   <dump-dir>/.lock              held while room is shared out
 *   <dump-dir>/.slots/<n>         held by each handler that copies
 */
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { DumpError, errnoOf, reasonOf } from "../../domain/failures.ts";
import { isDumpId } from "../../domain/id.ts";
import { FileLock } from "../../system/lock.ts";

const AS_ROOT = "cores are readable by root only: run this as root";

/** Facts whose length the process chose: they count against the cache as the core does, and go with it. */
export const LARGE_FACTS: readonly string[] = ["cmdline", "environ", "maps", "mountinfo"];

export class Spool {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  /**
   * @param create  make the directory (root's, 0700) when it is not there, and close one that others can read: the kubelet makes it
   *   0755 (hostPath DirectoryOrCreate)
   * @throws DumpError CACHE_UNUSABLE, NOT_PERMITTED
   */
  static open(dir: string, create = false): Spool {
    try {
      if (create) mkdirSync(dir, { recursive: true, mode: 0o700 });
      const stat = lstatSync(dir);
      if (stat.uid === 0 && process.geteuid?.() !== 0) {
        throw new DumpError("NOT_PERMITTED", `Cannot open the cache ${dir}: it is root's`, { hint: AS_ROOT });
      }
      const problem = !stat.isDirectory()
        ? "it is not a directory"
        : stat.uid !== process.geteuid?.()
          ? "it belongs to another user"
          : (stat.mode & 0o022) !== 0
            ? "others can write it"
            : undefined; // a user who may write here chooses where memory goes
      if (problem)
        throw new DumpError("CACHE_UNUSABLE", `Cannot use ${dir} as the cache: ${problem}`, {
          hint: `chown root ${dir}; chmod 700 ${dir}, or choose another with --dump-dir`,
        });
      if (create && (stat.mode & 0o077) !== 0) tighten(dir);
      return new Spool(dir);
    } catch (cause) {
      if (cause instanceof DumpError) throw cause;
      const denied = errnoOf(cause) === "EACCES" || errnoOf(cause) === "EPERM";
      throw new DumpError(
        denied ? "NOT_PERMITTED" : "CACHE_UNUSABLE",
        `Cannot open the cache ${dir}: ${reasonOf(cause)}`,
        {
          cause,
          hint: denied ? AS_ROOT : "choose the directory with --dump-dir",
        },
      );
    }
  }

  /** Wherever it lies. */
  entry(id: string): Entry {
    const entry = new Entry(join(this.dir, id), id);
    entry.follow();
    return entry;
  }

  /** Those that are not over yet, or hold something: as few as there is work. Newest first. */
  entries(): Entry[] {
    return entriesIn(this.dir);
  }

  /** Those that are over: up to thousands, so no crash, no scrape and no dump's step looks at them. Newest first. */
  ended(): Entry[] {
    return entriesIn(join(this.dir, ENDED));
  }

  /** Newest first. The ended ones are listed last: what moves meanwhile is seen twice, and counted once. */
  all(): Entry[] {
    const found = [...this.entries(), ...this.ended()].map((entry) => [entry.id, entry] as const);
    return newestFirst([...new Map(found).values()]);
  }

  /** For sharing out room; held for as long as it takes to look, never while bytes are copied. */
  lock(waitMs: number): Promise<FileLock | undefined> {
    return FileLock.within(join(this.dir, ".lock"), waitMs);
  }
}

const newestFirst = (entries: Entry[]): Entry[] => entries.sort((a, b) => (a.id < b.id ? 1 : -1));

/** Anything that is no dump's directory is not ours to touch. */
function entriesIn(dir: string): Entry[] {
  try {
    const found = readdirSync(dir, { withFileTypes: true }).filter((each) => each.isDirectory() && isDumpId(each.name));
    return newestFirst(found.map(({ name }) => new Entry(join(dir, name), name)));
  } catch (error) {
    if (basename(dir) === ENDED && errnoOf(error) === "ENOENT") return []; // nothing has ended yet
    throw error;
  }
}

const ENDED = ".ended";

/** What lies in a cache besides dumps. */
const OWN_NAMES: readonly string[] = [".lock", ".slots", ".agent.sock", ".kmsg", ENDED];

/** 0700, by the descriptor; a directory in which others keep things is theirs to close, `doctor` says so. */
function tighten(dir: string): void {
  const fd = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    if (readdirSync(dir).every((name) => isDumpId(name) || OWN_NAMES.includes(name))) fchmodSync(fd, 0o700);
  } finally {
    closeSync(fd);
  }
}

export class Entry {
  readonly id: string;
  #dir: string;

  constructor(dir: string, id: string) {
    this.#dir = dir;
    this.id = id;
  }

  /** Where it lay when we looked last. It moves once in its life, under its lock. */
  get dir(): string {
    return this.#dir;
  }

  get isEnded(): boolean {
    return basename(dirname(this.#dir)) === ENDED;
  }

  /** @returns whether it has moved to the ended ones since we looked */
  follow(): boolean {
    if (this.isEnded || existsSync(this.#dir)) return false;
    const ended = join(dirname(this.#dir), ENDED, this.id);
    if (!existsSync(ended)) return false;
    this.#dir = ended;
    return true;
  }

  /** The right to advance the record, without waiting: undefined while another process has it. @throws ENOENT where it is gone */
  tryLock(): FileLock | undefined {
    const lock = this.#lockThere();
    if (lock) this.follow(); // who had it before us may have moved it
    return lock;
  }

  #lockThere(): FileLock | undefined {
    try {
      return FileLock.try(this.lock);
    } catch (error) {
      if (errnoOf(error) === "ENOENT" && this.follow()) return FileLock.try(this.lock);
      throw error;
    }
  }

  /** To the ended ones; call it with the lock held. A process killed over it leaves the dump in one of the two places. */
  end(): void {
    const ended = join(dirname(this.#dir), ENDED);
    mkdirSync(ended, { recursive: true, mode: 0o700 });
    renameSync(this.#dir, join(ended, this.id));
    this.#dir = join(ended, this.id);
  }

  get record(): string {
    return join(this.dir, "record.json");
  }
  /** The next record on its way (system/durable.ts), or what a killed writer left of it. */
  get recordPart(): string {
    return `${this.record}.part`;
  }
  get core(): string {
    return join(this.dir, "core");
  }
  get part(): string {
    return join(this.dir, "core.part");
  }
  /** Bytes that its handler has been promised; there only while it copies. */
  get reserved(): string {
    return join(this.dir, "reserved");
  }

  /** All that was read of why it crashed; the record has it in short. */
  get crash(): string {
    return join(this.dir, "crash.json");
  }
  /** What goes with the core. */
  get largeFacts(): string[] {
    return [...LARGE_FACTS.map((name) => this.path(`facts/${name}`)), this.crash];
  }

  /** Held by the process that advances the record. */
  get lock(): string {
    return join(this.dir, "lock");
  }

  path(name: string): string {
    return join(this.dir, name);
  }
}
