/** The cache as commands and the agent see it: records, newest first, and the few things that may be done with them. */
import { statSync } from "node:fs";
import type { DumpRecord } from "../../domain/dump.ts";
import { DumpError } from "../../domain/failures.ts";
import { shortId } from "../../domain/id.ts";
import { isOver, type Reason, type State } from "../../domain/states.ts";
import { abandonedRecord, type Explain, type Finishing, finishIfAbandoned } from "./abandoned.ts";
import { decide, removeEntry } from "./decide.ts";
import { endThoseOver, isSettled } from "./ended.ts";
import { oldestOfMost, ownerGroup } from "./eviction.ts";
import { heldBytes } from "./pressure.ts";
import { readRecord } from "./record.ts";
import { type Entry, Spool } from "./spool.ts";

/** @param options `explain`: for the dumps that killed handlers left @throws DumpError CACHE_UNUSABLE, NOT_PERMITTED */
export const openCache = (dir: string, options: { create?: boolean; explain?: Explain } = {}): Cache =>
  new Cache(Spool.open(dir, options.create), options.explain);

const recordIn = (entry: Entry): DumpRecord => readRecord(entry) ?? abandonedRecord(entry);

/** Then they are read once in a hundred crashes. */
const KEPT_OF_MOST = 0.95;
const MOST_ENDED = 500;

export type Binding = Pick<DumpRecord, "id" | "state" | "cluster">;
const bindingIn = ({ id, state, cluster }: DumpRecord): Binding => ({ id, state, cluster });

interface KnownBinding {
  readonly version: string;
  readonly binding: Binding;
}

export class Cache {
  readonly spool: Spool;
  readonly #finishing: Finishing;
  #known: ReadonlyMap<string, KnownBinding> = new Map();

  constructor(spool: Spool, explain?: Explain) {
    this.spool = spool;
    this.#finishing = explain ? { explain } : {};
  }

  /** Of all dumps, newest first. A directory whose record cannot be read shows as what can be told of it. */
  records(): DumpRecord[] {
    return this.spool.all().map(recordIn);
  }

  /** Of those that are not over, or hold something. */
  living(): DumpRecord[] {
    return this.spool.entries().map(recordIn);
  }

  /** What the API is compared with. An ended record is read once and seldom again: what changes it makes a new file. */
  bindings(): Binding[] {
    const known = new Map<string, KnownBinding>();
    for (const entry of this.spool.ended()) {
      const { ino = 0n, mtimeNs = 0n } = statSync(entry.record, { bigint: true, throwIfNoEntry: false }) ?? {};
      const version = `${ino} ${mtimeNs}`;
      const before = this.#known.get(entry.id);
      known.set(entry.id, before?.version === version ? before : { version, binding: bindingIn(recordIn(entry)) });
    }
    this.#known = known;
    return [...this.living().map(bindingIn), ...known.values().map(({ binding }) => binding)];
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
   * @throws DumpError DUMP_BUSY while another process advances the record
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
    // Found without reading: we come at each crash.
    const coreless = this.spool.all().filter((entry) => entry.isEnded || heldBytes(entry) === 0n);
    if (coreless.length <= count) return;
    const records = coreless.map(readRecord).filter((record) => record !== undefined);
    const empty = records.filter(({ state }) => isOver(state)).reverse();
    const excess = empty.length <= count ? 0 : empty.length - Math.floor(count * KEPT_OF_MOST);
    for (const record of oldestOfMost(empty, ownerGroup, excess)) {
      try {
        this.forget(record);
      } catch {
        // Ignorable: another process is at work on it, or the disk refuses; the next crash tries again.
      }
    }
  }

  /**
   * Finishes what killed handlers left: their locks are free.
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

  /**
   * Moves what is over to `.ended/`, the oldest first; of an earlier version's cache so many at a time.
   * @throws the disk's own, when the move is not durable
   */
  async endSettled(now: Date): Promise<void> {
    const coreless = this.spool.entries().filter((entry) => heldBytes(entry) === 0n);
    await endThoseOver(coreless.reverse().slice(0, MOST_ENDED), (record) => isSettled(record, now));
  }

  /** This dump, however long it takes, if a killed handler left it. @returns its record then */
  async finished(record: DumpRecord): Promise<DumpRecord> {
    const entry = this.spool.entry(record.id);
    await finishIfAbandoned(entry, this.#finishing);
    return readRecord(entry) ?? record;
  }

  #locked(entry: Entry): Disposable {
    const lock = entry.tryLock();
    if (!lock)
      throw new DumpError("DUMP_BUSY", `Cannot change dump ${shortId(entry.id)}: another process is working on it`, {
        hint: "try again in a moment",
      });
    return lock;
  }
}
