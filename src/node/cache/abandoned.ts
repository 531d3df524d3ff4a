/** Finishes what a killed handler left in the cache. */
import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { blankRecord, type DumpRecord } from "../../domain/dump.ts";
import { ifPossible } from "../../domain/failures.ts";
import { timeOf } from "../../domain/id.ts";
import { textOf } from "../../domain/text.ts";
import { PROC_FILE_BYTES, statusField } from "../../system/proc.ts";
import { readSmall } from "../../system/small-file.ts";
import { finishDrop, isHalfDropped } from "./decide.ts";
import { recordOrNot, writeRecord } from "./record.ts";
import { type Sealing, seal } from "./seal.ts";
import type { Entry } from "./spool.ts";

/** What can be told of a directory whose record is missing or broken: the id holds the time, facts may be there. */
export function abandonedRecord(entry: Entry): DumpRecord {
  const time = new Date(timeOf(entry.id));
  const comm = factOf(entry, "comm");
  const pid = Number(factOf(entry, "stat")?.split(" ", 1)[0]);
  return {
    ...blankRecord(entry.id, time, hostname()),
    hostPid: Number.isSafeInteger(pid) ? pid : 0,
    comm: comm ?? null,
    executable: comm ?? "unknown",
    dumpable: dumpableFrom(entry),
    warnings: ["the record cannot be read, or its handler or the machine stopped before it was written"],
  };
}

/**
 * The kernel's word as the handler kept it among the facts, and nothing else, says that a process was ordinary: ids that are
 * all the same do not (a program that gave up root for good has such). Ids that differ say that it was not.
 */
function dumpableFrom(entry: Entry): number | null {
  const status = Buffer.from(factOf(entry, "status") ?? "");
  const ids = ["Uid", "Gid"].map((name) => statusField(status, name)?.split("\t") ?? []);
  if (ids.some((four) => new Set(four).size > 1)) return NOT_DUMPABLE;
  const mode = factOf(entry, "dumpable") ?? "";
  return /^\d$/.test(mode) ? Number(mode) : null;
}

/** fs.suid_dumpable 2: the mode of what changed its ids. */
const NOT_DUMPABLE = 2;

const factOf = (entry: Entry, name: string): string | undefined =>
  ifPossible(() => textOf(readSmall(entry.path(`facts/${name}`), PROC_FILE_BYTES)).replace(/\n$/, ""));

/** A core of this length is hashed in a tenth of a second: too short to be noticed by one who waits for something else. */
export const AT_ONCE_BYTES = 64 << 20;

export interface Finishing {
  /** Length of the longest core that is sealed now: sealing one of some 100 GiB takes minutes, however little it holds. */
  readonly mostBytes?: number;
  /** Ends it; the next one begins again. */
  readonly signal?: AbortSignal;
  readonly explain?: Explain;
}

/** Why a process crashed, out of so many bytes of its core: its files are not at hand any more. Does not reject. */
export type Explain = (entry: Entry, coreBytes: bigint) => Promise<Pick<DumpRecord, "crash" | "warnings">>;

/**
 * Finishes what a killed process began; every process that opens the cache does that. No process holds such a record's
 * lock: the kernel dropped it with its holder.
 *
 * @returns the length of the core that was sealed; "later" for one that is longer than `mostBytes`
 * @throws the signal's reason, or what the disk said
 */
export async function finishIfAbandoned(
  entry: Entry,
  { mostBytes = Number.POSITIVE_INFINITY, ...how }: Finishing = {},
): Promise<number | "later"> {
  if (!isUnfinished(entry) || isYoung(entry)) return 0;
  using lock = entry.tryLock();
  if (!lock || !isUnfinished(entry)) return 0; // finished while we came for the lock
  const found = recordOrNot(entry);
  const isCut = typeof found === "string" || found.state === "Capturing";
  const lengthBytes = isCut ? Math.max(sizeOf(entry.part), sizeOf(entry.core)) : 0;
  if (lengthBytes > mostBytes) return "later";
  if (found === "broken") renameSync(entry.record, entry.path("record.broken"));
  const record = typeof found === "string" ? abandonedRecord(entry) : found;
  if (record.state === "Capturing") await sealAbandoned(entry, record, how);
  else if (isHalfDropped(entry, record)) finishDrop(entry, record);
  rmSync(entry.recordPart, { force: true });
  return lengthBytes;
}

export function isUnfinished(entry: Entry): boolean {
  const found = recordOrNot(entry);
  if (typeof found !== "string")
    return found.state === "Capturing" || isHalfDropped(entry, found) || existsSync(entry.recordPart);
  return found !== "later" && existsSync(entry.dir);
}

const YOUNG_MS = 10_000;

/** A directory without a record may be a handler's that has only just made it. Asked before the lock: its file makes it young. */
function isYoung(entry: Entry): boolean {
  const made = statSync(entry.dir, { throwIfNoEntry: false })?.mtimeMs;
  return typeof recordOrNot(entry) === "string" && made !== undefined && Math.abs(Date.now() - made) < YOUNG_MS;
}

async function sealAbandoned(entry: Entry, found: DumpRecord, { signal, explain }: Finishing): Promise<void> {
  const how = sealingOf(entry, found);
  const gaps = how.truncation === "handler-killed" && how.sizeBytes > 0n;
  const record = gaps ? { ...found, warnings: [...found.warnings, GAPS] } : found;
  writeRecord(entry, record);
  await seal(entry, explain ? await explained(entry, record, how.sizeBytes, explain) : record, how, signal);
}

/** One that was killed over it must not be so for ever. */
const TRIED = "its stack was not read: a first attempt came to no end";

async function explained(entry: Entry, record: DumpRecord, coreBytes: bigint, explain: Explain): Promise<DumpRecord> {
  if (record.crash || coreBytes <= 0n || record.warnings.includes(TRIED)) return record;
  writeRecord(entry, { ...record, warnings: [...record.warnings, TRIED] });
  const { crash, warnings } = await explain(entry, coreBytes);
  return { ...record, crash, warnings: [...record.warnings, ...warnings] };
}

/** Memory is copied in several stretches at once, so the last byte there does not say that all before it are. */
const GAPS = "its handler was killed while it copied: the last megabytes before the end may hold zeros instead of data";

/** How far the copy had come. `core` has its name only once all that was to be kept is on the disk. */
function sealingOf(entry: Entry, { core }: DumpRecord): Sealing {
  const sealed = existsSync(entry.core) && !existsSync(entry.part);
  const copied = core.sizeBytes !== null; // written once the last byte was in: the copy itself was not cut
  return {
    truncation: core.truncation ?? (sealed || copied ? undefined : "handler-killed"),
    sizeBytes: BigInt(core.sizeBytes ?? sizeOf(sealed ? entry.core : entry.part)),
    threadNames: new Map(),
  };
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
