/**
 * Room in the cache: how much there may be, how much is taken or promised, and what goes when more is needed.
 * All sizes are bytes on the disk (st_blocks), holes not counted.
 */
import { rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import type { CaptureSettings } from "../../config/options.ts";
import type { DumpRecord, Truncation } from "../../domain/dump.ts";
import { errnoOf } from "../../domain/failures.ts";
import { mayFollow } from "../../domain/states.ts";
import { formatBytes } from "../../domain/units.ts";
import { readSmall } from "../../system/small-file.ts";
import { decide } from "./decide.ts";
import { type Holding, ownerGroup, victimsFor } from "./eviction.ts";
import { readRecord } from "./record.ts";
import type { Entry, Spool } from "./spool.ts";

export interface Limits {
  readonly maxDumpBytes: bigint;
  readonly maxCacheBytes: bigint;
  readonly minFreeBytes: bigint;
  /** Percent of the cache that one owner may hold before its own cores give way to its new ones. */
  readonly ownerShare: number;
}

/** The limits on this file system. */
export function limitsFor(dir: string, settings: CaptureSettings): Limits {
  const { blocks, bsize } = statfsSync(dir, { bigint: true });
  const share = (percent: number) => (blocks * bsize * BigInt(percent)) / 100n;
  const byShare = share(settings.cacheShare);
  const { cacheBytes } = settings;
  return {
    maxDumpBytes: settings.maxDumpBytes,
    maxCacheBytes: cacheBytes !== undefined && cacheBytes < byShare ? cacheBytes : byShare,
    minFreeBytes: share(settings.freeShare),
    ownerShare: settings.namespaceShare,
  };
}

interface Usage {
  /** What the cores take, or have been promised where that is more. */
  readonly takenBytes: bigint;
  /** Promised and not yet taken: still counts as free on the disk. */
  readonly outstandingBytes: bigint;
  readonly freeBytes: bigint;
}

export function usageOf(spool: Spool): Usage {
  let takenBytes = 0n;
  let outstandingBytes = 0n;
  for (const entry of spool.entries()) {
    const held = heldBytes(entry);
    const promised = promisedBytes(entry);
    takenBytes += promised > held ? promised : held;
    if (promised > held) outstandingBytes += promised - held;
  }
  const { bavail, bsize } = statfsSync(spool.dir, { bigint: true });
  return { takenBytes, outstandingBytes, freeBytes: bavail * bsize };
}

/** What may still be promised to a new dump; below zero when that is more than all. */
export function roomIn(usage: Usage, limits: Limits): bigint {
  const inCache = limits.maxCacheBytes - usage.takenBytes;
  const onDisk = usage.freeBytes - usage.outstandingBytes - limits.minFreeBytes;
  return inCache < onDisk ? inCache : onDisk;
}

/** Bytes of an entry's core on the disk, with the facts that go when it goes. */
export function heldBytes(entry: Entry): bigint {
  const core = onDisk(entry.core) ?? onDisk(entry.part);
  return core === undefined ? 0n : entry.largeFacts.reduce((sum, path) => sum + (onDisk(path) ?? 0n), core);
}

function onDisk(path: string): bigint | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat && BigInt(stat.blocks) * 512n;
}

/** What a dump that is being copied may still take; a killed handler's reservation, whose lock is free, counts as none. */
function promisedBytes(entry: Entry): bigint {
  try {
    const text = readSmall(entry.reserved).toString("latin1");
    using abandoned = entry.tryLock();
    return /^\d{1,18} *$/.test(text) && !abandoned ? BigInt(text) : 0n;
  } catch {
    return 0n;
  }
}

/** Whether a dump holds a core that may go; one that is being captured is its handler's, whose lock says so as well. */
const isEvictable = (record: DumpRecord | undefined): record is DumpRecord =>
  record !== undefined && record.state !== "Capturing" && mayFollow(record.state, "Evicted");

/** All that take room, the oldest first. @param busy  ids of those that did not give way when they were asked to */
function holdingsIn(spool: Spool, busy: ReadonlySet<string>): Holding[] {
  return spool
    .entries()
    .reverse()
    .flatMap((entry) => {
      const [held, promised] = [heldBytes(entry), promisedBytes(entry)];
      if (held === 0n && promised === 0n) return [];
      const record = readRecord(entry);
      const owner = record ? ownerGroup(record) : "unknown";
      const evictable = isEvictable(record) && !busy.has(entry.id);
      return [{ id: entry.id, owner, bytes: promised > held ? promised : held, evictable }];
    });
}

/**
 * Makes room for `wantedBytes` more of a dump, as `victimsFor()` says; nothing goes when even so they would not fit. Call under
 * the spool's lock. @returns the room there is now
 */
export function makeRoom(spool: Spool, limits: Limits, entry: Entry, wantedBytes: bigint): bigint {
  const busy = new Set<string>();
  for (;;) {
    const usage = usageOf(spool);
    const roomBytes = roomIn(usage, limits);
    const most = roomBytes > 0n ? roomBytes : 0n;
    if (wantedBytes <= 0n) return most;
    const shareBytes = ((usage.takenBytes + most) * BigInt(limits.ownerShare)) / 100n;
    if (roomBytes >= wantedBytes && usage.takenBytes + wantedBytes <= shareBytes) return most; // no owner can be above it
    const owner = ownerGroup(readRecord(entry) ?? UNKNOWN_OWNER);
    const victims = victimsFor(holdingsIn(spool, busy), { owner, wantedBytes, roomBytes, shareBytes });
    if (victims.length === 0) return most;
    for (const { id } of victims) if (!evict(spool.entry(id), wantedBytes)) busy.add(id);
  }
}

const UNKNOWN_OWNER = { owner: "unknown", pod: null } as const;

/** @returns whether it went */
function evict(entry: Entry, wantedBytes: bigint): boolean {
  using lock = entry.tryLock();
  const record = lock && readRecord(entry);
  if (!isEvictable(record)) return false;
  const message = `made room for a newer dump of ${formatBytes(wantedBytes)}`;
  decide(entry, record, "Evicted", { reason: "MadeRoom", message });
  return true;
}

/** More than was asked for at once, so that a growing dump asks seldom. */
const STEP_BYTES = 256n << 20n;
const LOCK_WAIT_MS = 2000;
/** The reservation's file takes what the record needs at the end: a core that filled the disk must not silence it. */
const RECORD_ROOM_BYTES = 64 << 10;
const NO_ROOM: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);

/** A dump's reservation in the cache: taken before its first byte of memory, enlarged as it grows. */
export class Reservation {
  #grantedBytes = 0n;
  readonly #spool: Spool;
  readonly #entry: Entry;
  readonly #limits: Limits;

  constructor(spool: Spool, entry: Entry, limits: Limits) {
    this.#spool = spool;
    this.#entry = entry;
    this.#limits = limits;
  }

  /** Whether so much may be kept; asked with what the headers and /proc say, before the first byte. */
  async take(estimateBytes: bigint): Promise<"TooBig" | "NoRoom" | undefined> {
    if (estimateBytes > this.#limits.maxDumpBytes) return "TooBig";
    return (await this.#reserve(estimateBytes, estimateBytes)) ? undefined : "NoRoom";
  }

  /** Whether the dump may hold so many bytes now. Cheap while it stays within what was granted. */
  allow(heldBytes: bigint): Truncation | undefined | Promise<Truncation | undefined> {
    if (heldBytes <= this.#grantedBytes) return undefined;
    if (heldBytes > this.#limits.maxDumpBytes) return "size-cap";
    const more = heldBytes + STEP_BYTES;
    return this.#reserve(heldBytes, more < this.#limits.maxDumpBytes ? more : this.#limits.maxDumpBytes).then(
      (granted) => (granted ? undefined : "cache-full"),
    );
  }

  /** Grants `mostBytes` where there is room, else what there is if that is at least `leastBytes`. */
  async #reserve(leastBytes: bigint, mostBytes: bigint): Promise<boolean> {
    using _lock = await this.#spool.lock(LOCK_WAIT_MS); // without it two dumps may share the last room: better than none
    rmSync(this.#entry.reserved, { force: true }); // our own reservation is not in our way
    const own = heldBytes(this.#entry);
    const room = own + makeRoom(this.#spool, this.#limits, this.#entry, leastBytes > own ? leastBytes - own : 0n);
    if (room < leastBytes) return false;
    const granted = room < mostBytes ? room : mostBytes;
    try {
      writeFileSync(this.#entry.reserved, String(granted).padEnd(RECORD_ROOM_BYTES), { mode: 0o600 });
    } catch (error) {
      if (NO_ROOM.has(errnoOf(error) ?? "")) return false;
      throw error;
    }
    this.#grantedBytes = granted;
    return true;
  }

  /** The reservation ends; what the file takes counts by itself, and on a full disk there is room for the record. */
  end(): void {
    rmSync(this.#entry.reserved, { force: true });
  }
}
