/**
 * The last step of a capture, with the record's lock held: by the handler at its end, or by the process that finds the
 * record of a handler that was killed. What is on the disk decides what the record says.
 */
import { closeSync, constants, existsSync, ftruncateSync, openSync, renameSync, rmSync } from "node:fs";
import { type DumpCore, type DumpRecord, isOrdinary, type Truncation } from "../../domain/dump.ts";
import type { StateChange } from "../../domain/life-cycle.ts";
import { mayFollow, type State } from "../../domain/states.ts";
import { formatBytes, jsonBytes } from "../../domain/units.ts";
import { sync } from "../../system/io.ts";
import { decide, decideOnDisk, dropEmpty } from "./decide.ts";
import { crashIn, layoutIn, sha256Of, sizesOf } from "./examine.ts";
import type { Entry } from "./spool.ts";

export interface Sealing {
  readonly truncation: Truncation | undefined;
  /** Bytes of the core from its first on that are certain. */
  readonly sizeBytes: bigint;
  readonly threadNames: ReadonlyMap<number, string>;
  /** What ended the stream too early, in words, where that is known. */
  readonly stopped?: string | undefined;
}

/**
 * Turns `core.part` into `core` and Capturing into the state that the bytes deserve. Idempotent: a second run after a
 * power cut comes to the same end. The file gets its final name only when it is on the disk.
 *
 * @param signal  ends a long one; the next attempt begins again @throws its reason
 * @returns the record as written, durable
 */
export async function seal(
  entry: Entry,
  record: DumpRecord,
  sealing: Sealing,
  signal?: AbortSignal,
): Promise<DumpRecord> {
  const file = [entry.part, entry.core].find((path) => existsSync(path)); // `core`: a power cut between the last two steps
  const { to, change } =
    file === undefined || sealing.sizeBytes <= 0n
      ? nothingKept(entry, record, sealing)
      : await kept(entry, file, record, sealing, signal);
  rmSync(entry.reserved, { force: true });
  return await decideOnDisk(entry, record, to, change);
}

interface Sealed {
  readonly to: State;
  readonly change: StateChange;
}

function nothingKept(entry: Entry, record: DumpRecord, { truncation: cause, sizeBytes, stopped }: Sealing): Sealed {
  dropEmpty(entry);
  const truncation = cause ?? (sizeBytes > 0n ? "handler-killed" : "source-cut-short"); // bytes that no file has any more
  const message =
    truncation === "source-cut-short"
      ? `no byte came: ${stopped ?? "the process was killed while it dumped, or its sandbox dumps nothing"}`
      : `${CAUSES[truncation]}: not one byte was kept`;
  const core = {
    ...record.core,
    sizeBytes: 0,
    storedBytes: 0,
    logicalBytes: 0,
    complete: false,
    truncation,
    path: null,
  } as const;
  return { to: "Lost", change: { reason: "NothingReceived", message, core } };
}

async function kept(
  entry: Entry,
  file: string,
  record: DumpRecord,
  sealing: Sealing,
  signal?: AbortSignal,
): Promise<Sealed> {
  const fd = openSync(file, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    const certain = cutToCertain(fd, sealing);
    const sha256 = await hashedOnDisk(fd, signal);
    const layout = layoutIn(fd);
    const core: DumpCore = {
      ...record.core,
      ...judge(layout?.expectedBytes, certain),
      ...sizesOf(fd),
      path: entry.core,
      sha256,
    };
    if (file === entry.part) renameSync(entry.part, entry.core);
    const crash = layout ? crashIn(fd, layout, record, sealing.threadNames) : {};
    const change = { ...crash, core, ...reasons({ ...record, core }, sealing.stopped) };
    return { to: isOrdinary(record) ? "Captured" : "Restricted", change };
  } finally {
    closeSync(fd);
  }
}

/** The SHA-256 of what is then on the disk: the one takes the processor, the other the disk. Ends when both have. */
async function hashedOnDisk(fd: number, signal?: AbortSignal): Promise<string> {
  const digest = sha256Of(fd, () => signal?.throwIfAborted());
  const [hash, flushed] = await Promise.allSettled([digest, sync(fd)]);
  if (flushed.status === "rejected") throw flushed.reason;
  if (hash.status === "rejected") throw hash.reason;
  return hash.value;
}

type Certain = Pick<Sealing, "sizeBytes" | "truncation">;

function cutToCertain(fd: number, { sizeBytes, truncation }: Sealing): Certain {
  const inFile = BigInt(sizesOf(fd).logicalBytes);
  if (inFile < sizeBytes) return { sizeBytes: inFile, truncation: truncation ?? "handler-killed" }; // a power cut took the rest
  if (inFile > sizeBytes) ftruncateSync(fd, Number(sizeBytes)); // after a gap
  return { sizeBytes, truncation };
}

function judge(expected: bigint | undefined, { truncation, sizeBytes }: Certain) {
  if (expected === undefined)
    return {
      sizeBytes: jsonBytes(sizeBytes),
      expectedBytes: null,
      complete: false,
      truncation: truncation ?? "not-elf",
    } as const;
  const complete = sizeBytes >= expected && truncation === undefined;
  const cause = complete ? null : (truncation ?? "source-cut-short");
  return { sizeBytes: jsonBytes(sizeBytes), expectedBytes: jsonBytes(expected), complete, truncation: cause } as const;
}

function reasons(record: DumpRecord, stopped: string | undefined): Pick<DumpRecord, "reason" | "message"> {
  const { complete, truncation, sizeBytes, expectedBytes } = record.core;
  const where = expectedBytes === null ? "" : ` at ${formatBytes(sizeBytes ?? 0)} of ${formatBytes(expectedBytes)}`;
  const cut = `${CAUSES[truncation ?? "not-elf"]}${where}${stopped ? `: ${stopped}` : ""}`;
  if (!isOrdinary(record)) {
    const { reason, message } = restriction(record);
    return { reason, message: complete ? message : `${message}; ${cut}` };
  }
  return complete ? { reason: null, message: null } : { reason: "Truncated", message: cut };
}

const USUAL =
  "It had changed its ids, runs a file with capabilities, set-uid or that its user may not read, or asked for it";
const REMEDY =
  "its owner can call prctl(PR_SET_DUMPABLE, 1) once ids are dropped (php-fpm: process.dumpable = yes, HAProxy: set-dumpable)";

/** Why memory is root's alone. */
const restriction = ({ dumpable }: DumpRecord) =>
  ({
    reason: "NotDumpable",
    message:
      dumpable === null
        ? "whether the process was dumpable is not known: only an admin may read its memory"
        : `the process was not dumpable (%d ${dumpable}): only an admin may read its memory. ${USUAL}; ${REMEDY}`,
  }) as const;

/**
 * A dump that an earlier version took for an ordinary process's although that was not known: its core stays here and is
 * served to no tenant. @returns the record as it is from now on; the same one where nothing is wrong with it
 */
export const restrictIfUnknown = (entry: Entry, record: DumpRecord, now: Date): DumpRecord =>
  isOrdinary(record) || !mayFollow(record.state, "Restricted")
    ? record
    : decide(entry, record, "Restricted", restriction(record), now);

const CAUSES: Readonly<Record<Truncation, string>> = {
  "size-cap": "cut at the limit for one dump",
  "cache-full": "cut because the cache is full",
  "disk-full": "cut because the disk is full",
  "write-failed": "cut because the cache's disk failed",
  "source-cut-short": "source cut short",
  "handler-killed": "the handler was killed",
  "not-elf": "what came is not an ELF core",
};
