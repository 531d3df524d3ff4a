import { readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import type { DumpCore, DumpRecord } from "../domain/dump.ts";
import { textOf } from "../domain/text.ts";
import { FileLock } from "../system/lock.ts";
import { readRecord, recordOnDisk, writeRecord } from "./record.ts";
import { seal } from "./seal.ts";
import type { Entry } from "./spool.ts";

export const NO_CORE: DumpCore = {
  path: null,
  sizeBytes: null,
  storedBytes: null,
  logicalBytes: null,
  expectedBytes: null,
  complete: null,
  sha256: null,
  truncation: null,
  capture: null,
};

/** A record in which nothing is known yet but when, where and by whom it was begun. */
export function blankRecord(id: string, time: Date, node: string): DumpRecord {
  return {
    version: 1,
    id,
    state: "Capturing",
    reason: null,
    message: null,
    dumptime: time.toISOString(),
    updated: time.toISOString(),
    hostPid: 0,
    hostTid: null,
    containerPid: null,
    executable: "unknown",
    exe: null,
    comm: null,
    threadName: null,
    signal: null,
    threads: [],
    threadCount: null,
    processUid: null,
    processGid: null,
    dumpable: null,
    coreLimit: null,
    uptimeMs: null,
    heldMs: null,
    node,
    hostname: null,
    owner: "unknown",
    container: null,
    pod: null,
    identity: { source: "none", confirmed: false, problem: null, cgroup: null },
    core: NO_CORE,
    cluster: null,
    bundle: null,
    warnings: [],
  };
}

/** What can be told of a directory whose record is missing or broken: the id holds the time, facts may be there. */
export function abandonedRecord(entry: Entry): DumpRecord {
  const time = new Date(Number.parseInt(entry.id.replace("-", "").slice(0, 12), 16));
  const comm = factOf(entry, "comm");
  const pid = Number(factOf(entry, "stat")?.split(" ", 1)[0]);
  return {
    ...blankRecord(entry.id, time, hostname()),
    hostPid: Number.isSafeInteger(pid) ? pid : 0,
    comm: comm ?? null,
    executable: comm ?? "unknown",
    warnings: ["the record was lost: its handler or the machine stopped before it was written"],
  };
}

function factOf(entry: Entry, name: string): string | undefined {
  try {
    return textOf(readFileSync(entry.path(`facts/${name}`))).replace(/\n$/, "");
  } catch {
    return undefined;
  }
}

/** A directory without a record may be a handler's that has only just made it. */
const YOUNG_MS = 10_000;

/**
 * Finishes what a killed handler left; whoever opens the cache does that. Nobody holds such a record's lock: the kernel
 * dropped it with the handler.
 */
export async function finishIfAbandoned(entry: Entry): Promise<void> {
  const before = readRecord(entry);
  if (before && before.state !== "Capturing") return;
  if (!before && Date.now() - statSync(entry.dir).mtimeMs < YOUNG_MS) return;
  using lock = FileLock.try(entry.lock);
  if (!lock) return;
  const record = readRecord(entry) ?? abandonedRecord(entry);
  if (record.state !== "Capturing") return; // finished while we came for the lock
  if (!before) writeRecord(entry, record);
  const copied = record.core.sizeBytes !== null; // written once the last byte was in: the copy itself was not cut
  await seal(entry, record, {
    truncation: copied ? (record.core.truncation ?? undefined) : "handler-killed",
    sizeBytes: copied ? BigInt(record.core.sizeBytes ?? 0) : sizeOnDisk(entry),
    threadNames: new Map(),
  });
  await recordOnDisk(entry);
}

const sizeOnDisk = (entry: Entry): bigint => BigInt(statSync(entry.part, { throwIfNoEntry: false })?.size ?? 0);
