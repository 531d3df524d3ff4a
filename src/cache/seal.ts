/**
 * The last step of a capture, by whoever holds the record's lock: the handler at its end, or anybody who finds the
 * record of a handler that was killed. What is on the disk decides what the record says.
 */
import { closeSync, constants, existsSync, ftruncateSync, openSync, renameSync, rmSync } from "node:fs";
import type { DumpCore, DumpRecord, Truncation } from "../domain/dump.ts";
import { advance } from "../domain/life-cycle.ts";
import { formatBytes, jsonBytes } from "../domain/units.ts";
import { sync } from "../system/io.ts";
import { crashIn, layoutIn, sha256Of, sizesOf } from "./examine.ts";
import { recordOnDisk, writeRecord } from "./record.ts";
import type { Entry } from "./spool.ts";

export interface Sealing {
  readonly truncation: Truncation | undefined;
  /** Bytes of the core from its first on that are certain. */
  readonly sizeBytes: bigint;
  readonly threadNames: ReadonlyMap<number, string>;
}

/**
 * Turns `core.part` into `core` and Capturing into the state that the bytes deserve. Idempotent: a second run after a
 * power cut comes to the same end. The file gets its final name only when it is on the disk.
 *
 * @returns the record as written, durable
 */
export async function seal(entry: Entry, record: DumpRecord, sealing: Sealing): Promise<DumpRecord> {
  const sealed = sealing.sizeBytes === 0n ? nothingKept(entry, record, sealing) : await kept(entry, record, sealing);
  rmSync(entry.reserved, { force: true });
  writeRecord(entry, sealed);
  await recordOnDisk(entry);
  return sealed;
}

function nothingKept(entry: Entry, record: DumpRecord, { truncation }: Sealing): DumpRecord {
  rmSync(entry.part, { force: true });
  const message =
    {
      "handler-killed": "the handler was killed before the first byte was kept",
      "disk-full": "the disk was full before the first byte was kept",
    }[truncation as string] ?? "no byte came: the process was killed while it dumped, or its sandbox dumps nothing";
  const core = {
    ...record.core,
    sizeBytes: 0,
    storedBytes: 0,
    logicalBytes: 0,
    complete: false,
    truncation: truncation ?? "source-cut-short",
    path: null,
  } as const;
  return advance(record, "Lost", { reason: "NothingReceived", message, core }, new Date());
}

async function kept(entry: Entry, record: DumpRecord, sealing: Sealing): Promise<DumpRecord> {
  const named = !existsSync(entry.part); // a power cut between the last two steps
  const fd = openSync(named ? entry.core : entry.part, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    const layout = layoutIn(fd);
    const inFile = BigInt(sizesOf(fd).logicalBytes);
    const sizeBytes = sealing.sizeBytes < inFile ? sealing.sizeBytes : inFile; // after a power cut the file may be the shorter
    if (sizeBytes < inFile) ftruncateSync(fd, Number(sizeBytes)); // behind a gap: not certain
    await sync(fd);
    const core: DumpCore = {
      ...record.core,
      ...judge(layout?.expectedBytes, { ...sealing, sizeBytes }),
      ...sizesOf(fd),
      path: entry.core,
      sha256: await sha256Of(fd),
    };
    if (!named) renameSync(entry.part, entry.core);
    const crash = layout ? crashIn(fd, layout, record, sealing.threadNames) : {};
    // %d is 1 for an ordinary process; memory of any other is root's alone (CVE-2022-4415).
    const restricted = record.dumpable !== null && record.dumpable !== 1;
    return advance(
      record,
      restricted ? "Restricted" : "Captured",
      { ...crash, core, ...reasons(core, restricted) },
      new Date(),
    );
  } finally {
    closeSync(fd);
  }
}

function judge(expected: bigint | undefined, { truncation, sizeBytes }: Sealing) {
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

function reasons(
  { complete, truncation, sizeBytes, expectedBytes }: DumpCore,
  restricted: boolean,
): Pick<DumpRecord, "reason" | "message"> {
  const cut = `${CAUSES[truncation ?? "not-elf"]}${expectedBytes === null ? "" : ` at ${formatBytes(sizeBytes ?? 0)} of ${formatBytes(expectedBytes)}`}`;
  if (restricted)
    return {
      reason: "NotDumpable",
      message: `the process had changed its credentials: only an admin may read its memory${complete ? "" : `; ${cut}`}`,
    };
  return complete ? { reason: null, message: null } : { reason: "Truncated", message: cut };
}

const CAUSES: Readonly<Record<Truncation, string>> = {
  "size-cap": "cut at the limit for one dump",
  "cache-full": "cut because the cache is full",
  "disk-full": "cut because the disk is full",
  "write-failed": "cut because the cache's disk failed",
  "source-cut-short": "source cut short",
  "handler-killed": "the handler was killed",
  "not-elf": "what came is no ELF core",
};
