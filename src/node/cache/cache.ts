/** The cache as commands and the agent see it: records, newest first, and the few things that may be done with them. */
import type { DumpRecord } from "../../domain/dump.ts";
import { DumpError } from "../../domain/failures.ts";
import { shortId } from "../../domain/id.ts";
import { isOver, type Reason, type State } from "../../domain/states.ts";
import { FileLock } from "../../system/lock.ts";
import { abandonedRecord, type Explain, type Finishing, finishIfAbandoned } from "./abandoned.ts";
import { decide, removeEntry } from "./decide.ts";
import { oldestOfMost, ownerGroup } from "./eviction.ts";
import { heldBytes } from "./pressure.ts";
import { readRecord } from "./record.ts";
import { type Entry, Spool } from "./spool.ts";

/** @param options `explain`: for the dumps that killed handlers left @throws DumpError CACHE_UNUSABLE, NOT_PERMITTED */
export const openCache = (dir: string, options: { create?: boolean; explain?: Explain } = {}): Cache =>
  new Cache(Spool.open(dir, options.create), options.explain);

/** Then they are read once in a hundred crashes. */
const KEPT_OF_MOST = 0.95;

export class Cache {
  readonly spool: Spool;
  readonly #finishing: Finishing;

  constructor(spool: Spool, explain?: Explain) {
    this.spool = spool;
    this.#finishing = explain ? { explain } : {};
  }

  /** Newest first. A directory whose record cannot be read shows as what can be told of it. */
  records(): DumpRecord[] {
    return this.spool.entries().map((entry) => readRecord(entry) ?? abandonedRecord(entry));
  }

  /**
   * By full id, short id, or an unambiguous beginning or part of either.
   * @throws DumpError DUMP_NOT_FOUND, DUMP_AMBIGUOUS
   */
  find(name: string): DumpRecord {
    const wanted = name.toLowerCase();
    const records = this.records();
    const exact = records.filter(({ id }) => id === wanted || shortId(id) === wanted);
    const matching =
      exact.length > 0
        ? exact
        : records.filter(({ id }) => wanted.length >= 4 && (id.startsWith(wanted) || shortId(id).includes(wanted)));
    const [record, another] = matching;
    if (!record)
      throw new DumpError("DUMP_NOT_FOUND", `Cannot find dump ${JSON.stringify(name)} in ${this.spool.dir}`, {
        hint: "`list` shows what there is",
      });
    if (another)
      throw new DumpError(
        "DUMP_AMBIGUOUS",
        `Cannot tell which dump ${JSON.stringify(name)} is: ${matching.length} match`,
        {
          hint: `for example ${matching
            .slice(0, 3)
            .map(({ id }) => shortId(id))
            .join(", ")}`,
        },
      );
    return record;
  }

  corePath(record: DumpRecord): string {
    return this.spool.entry(record.id).core;
  }

  /**
   * A decision that the local copy is not needed: the record says so first, then the core goes.
   * @throws DumpError DUMP_BUSY while somebody else advances the record
   */
  drop(record: DumpRecord, to: State, reason: Reason, message: string | null = null): DumpRecord {
    const entry = this.spool.entry(record.id);
    using _lock = this.#locked(entry);
    const now = readRecord(entry) ?? record;
    return decide(entry, now, to, { reason, message });
  }

  /** Removes record and all. @throws DumpError DUMP_BUSY */
  forget(record: DumpRecord): void {
    const entry = this.spool.entry(record.id);
    using _lock = this.#locked(entry);
    removeEntry(entry);
  }

  /**
   * A crash loop must not fill the disk with records: of those that hold nothing `count` stay. The owner that has most of them
   * loses its oldest, so that no loop makes another owner's dump be forgotten before it was registered. Some more go at once,
   * because it takes reading them all.
   */
  forgetBeyond(count: number): void {
    const coreless = this.spool.entries().filter((entry) => heldBytes(entry) === 0n); // told without reading: we come at each crash
    if (coreless.length <= count) return;
    const records = coreless.map(readRecord).filter((record) => record !== undefined);
    const empty = records.filter(({ state }) => isOver(state)).reverse();
    const excess = empty.length <= count ? 0 : empty.length - Math.floor(count * KEPT_OF_MOST);
    for (const record of oldestOfMost(empty, ownerGroup, excess)) {
      try {
        this.forget(record);
      } catch {
        // Ignorable: somebody is at it, or the disk refuses; the next crash tries again.
      }
    }
  }

  /**
   * Finishes what killed handlers left: nobody holds their locks.
   * @param finishing  `mostBytes` in all, for callers who wait for something else
   * @returns ids of those that are left for later, because their cores are too long
   * @throws the first failure, once all had their turn
   */
  async finishAbandoned({ mostBytes = Number.POSITIVE_INFINITY, ...how }: Finishing = {}): Promise<string[]> {
    const [failures, later]: [unknown[], string[]] = [[], []];
    let leftBytes = mostBytes;
    for (const entry of this.spool.entries()) {
      try {
        const finished = await finishIfAbandoned(entry, { ...this.#finishing, ...how, mostBytes: leftBytes });
        if (finished === "later") later.push(entry.id);
        else leftBytes -= finished;
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return later;
  }

  /** This dump, however long it takes, if a killed handler left it. @returns its record then */
  async finished(record: DumpRecord): Promise<DumpRecord> {
    const entry = this.spool.entry(record.id);
    await finishIfAbandoned(entry, this.#finishing);
    return readRecord(entry) ?? record;
  }

  #locked(entry: Entry): Disposable {
    const lock = FileLock.try(entry.lock);
    if (!lock)
      throw new DumpError("DUMP_BUSY", `Cannot change dump ${shortId(entry.id)}: another process is working on it`, {
        hint: "try again in a moment",
      });
    return lock;
  }
}
