/**
 * A dump's way from the node into the cluster, one step after the other, from wherever it stopped. Each step is
 * idempotent and runs under the record's lock: agent, lone handler and `sweep` take the same ones. A step that fails
 * throws, and leaves the record where it was; nothing is dropped but by a decision that was read (rule 9).
 */
import { existsSync } from "node:fs";
import type { DumpCluster, DumpRecord } from "../../domain/dump.ts";
import { DumpError, FAILURES, reasonOf } from "../../domain/failures.ts";
import { advance } from "../../domain/life-cycle.ts";
import { isAllowed, isGone, mayFollow, type State } from "../../domain/states.ts";
import type { Coredump } from "../../kube/coredump.ts";
import { dropLocalCopy } from "../../node/cache/drop.ts";
import { readRecord, recordOnDisk, writeRecord } from "../../node/cache/record.ts";
import { restrictedIfUnknown } from "../../node/cache/seal.ts";
import { FileLock } from "../../system/lock.ts";
import { isDeliveryTold } from "../registration/conditions.ts";
import { hasPod, type PodRecord, stateInApi } from "../registration/coredump.ts";
import { isDeletion } from "../registration/registry.ts";
import { admitted } from "./admission.ts";
import { announce, announcedIn } from "./capturing.ts";
import { isDeliveryPending } from "./deliver.ts";
import type { Next, Seat } from "./desk.ts";
import { enter } from "./entering.ts";

/** Takes the dump as far as it goes now. @throws whatever stood in the way; DumpErrors say whether it may pass */
export async function advanceDump(seat: Seat): Promise<Next> {
  // Before there is a record the lock is its handler's to take.
  if (!existsSync(seat.entry.record)) return existsSync(seat.entry.dir) ? "busy" : "done";
  using lock = FileLock.try(seat.entry.lock);
  if (!lock) {
    await announce(seat);
    return "busy";
  }
  const found = readRecord(seat.entry);
  if (!found) return "done"; // whoever opens the cache finishes it first
  if (found.state === "Capturing") return "waiting";
  const known = restrictedIfUnknown(found, seat.desk.now());
  if (known !== found) writeRecord(seat.entry, known);
  const record = known.cluster ? known : await admitted(seat, known);
  if (!hasPod(record)) return record.owner === "unknown" ? "hold" : "done";
  const seen = await objectOf(seat, record);
  return seen ? await decide(seat, seen.record, seen.coredump) : "done";
}

interface Seen {
  readonly record: PodRecord;
  readonly coredump: Coredump;
}

/** Its object, made where there is none; undefined when its owner deleted it. */
async function objectOf(seat: Seat, record: PodRecord): Promise<Seen | undefined> {
  if (!record.cluster) {
    if (record.state === "Deleted") return undefined;
    const announced = announcedIn(seat.entry);
    return announced ? await objectOf(seat, await bind(seat, record, announced)) : await register(seat, record);
  }
  const coredump = await seat.desk.registry.read(record, record.cluster.name, seat.signal);
  if (coredump && coredump.metadata.uid === record.cluster.objectUid) return { record, coredump };
  return await whenVanished(seat, record, record.cluster);
}

/** 404, or another object in its place: the owner's decision, or an API that lost its memory. */
async function whenVanished(seat: Seat, record: PodRecord, known: DumpCluster): Promise<Seen | undefined> {
  if (record.state === "Deleted") return undefined;
  const standing = await seat.desk.registry.standing(record.pod.namespace, seat.signal);
  const again = await seat.desk.registry.read(record, known.name, seat.signal); // it may have come back meanwhile
  const { deleted, forgotten } = seat.desk;
  const isForgotten = forgotten?.has(known.objectUid) === true;
  if (!again && !isForgotten && isDeletion(known, standing, deleted?.has(known.objectUid) === true)) {
    if (isGone(record.state)) return undefined; // the record goes on saying why
    const core = { ...record.core, path: null };
    keep(seat, record, "Deleted", { reason: "OwnerDeleted", message: "its Coredump was deleted", core });
    return undefined;
  }
  if (standing.clusterUid === known.clusterUid && standing.namespaceUid !== known.namespaceUid)
    throw new DumpError(
      "NOT_FOUND",
      `Cannot register dump ${record.id}: its namespace ${record.pod.namespace} is gone`,
    );
  return await register(seat, { ...record, cluster: null });
}

async function register(seat: Seat, record: PodRecord): Promise<Seen> {
  const { coredump, cluster } = await enter(seat, record);
  return { record: await bind(seat, record, cluster), coredump };
}

/** From here on the record and that object are two views of one dump. */
async function bind(seat: Seat, record: PodRecord, cluster: DumpCluster): Promise<PodRecord> {
  const to = record.state === "Captured" ? "Created" : record.state;
  const bound = keep(seat, { ...record, node: seat.desk.node }, to, { cluster });
  await recordOnDisk(seat.entry);
  if (bound.state !== "Created" || !seat.desk.seesDecisions) await seat.desk.teller.crash(bound, cluster.name);
  return bound;
}

/** From here on its owner is to know that it is kept. */
async function allow(seat: Seat, record: PodRecord, coredump: Coredump): Promise<PodRecord> {
  const allowed = keep(seat, record, "Allowed", {});
  if (seat.desk.seesDecisions) await seat.desk.teller.crash(allowed, coredump.metadata.name);
  return allowed;
}

/** The crash itself is news that does not wait for a controller that is away. */
const UNDECIDED_MS = 30_000;

async function tellUndecided(seat: Seat, record: PodRecord, coredump: Coredump): Promise<void> {
  const { desk } = seat;
  if (desk.seesDecisions && desk.now().getTime() - Date.parse(record.dumptime) > UNDECIDED_MS)
    await desk.teller.crash(record, coredump.metadata.name);
}

/** What the two sides say, and which of them is to follow the other. */
async function decide(seat: Seat, record: PodRecord, coredump: Coredump): Promise<Next> {
  const { state, message } = coredump.status ?? {};
  if (state === "Deleted" && record.state === "Saved") {
    keep(seat, record, "Deleted", { reason: "OwnerDeleted", message: message ?? null }); // by retention
    return "done";
  }
  if (isDeliveryPending(record)) return await whileDelivering(seat, record, coredump);
  if (state === "Denied" && mayFollow(record.state, "Denied")) {
    const core = { ...record.core, path: null };
    const denied = keep(seat, record, "Denied", { reason: "OverQuota", message: message ?? null, core });
    await seat.desk.teller.crash(denied, coredump.metadata.name);
    if (needsReport(denied, coredump)) await report(seat, denied, coredump);
    return "done";
  }
  if (state === "Allowed" && record.state === "Created")
    return await decide(seat, await allow(seat, record, coredump), coredump);
  if (isAllowed(state) && isAllowed(record.state)) return await store(seat, record, coredump);
  if (seat.desk.seesDecisions && isGone(record.state) && record.state !== "Deleted")
    await seat.desk.teller.crash(record, coredump.metadata.name); // gone before anybody decided
  const told = needsReport(record, coredump) ? await report(seat, record, coredump) : { record, coredump };
  return stateInApi(record, told.coredump.status?.state) === "Created" ? await awaited(seat, told) : "done";
}

/** Its own claim first: no decision lets the core go before. */
async function whileDelivering(seat: Seat, record: PodRecord, coredump: Coredump): Promise<Next> {
  if (coredump.status?.state === "Denied") return "waiting"; // not to be said before it is so here
  const isAllowed = coredump.status?.state === "Allowed" && record.state === "Created";
  const now = isAllowed ? await allow(seat, record, coredump) : record;
  if (needsReport(now, coredump)) await report(seat, now, coredump);
  return "waiting";
}

/** Nobody but the controller decides, unless the node was told that there is none. */
async function awaited(seat: Seat, { record, coredump }: Seen): Promise<Next> {
  if (seat.desk.settings.admission !== "all" || coredump.status?.state !== "Created") {
    await tellUndecided(seat, record, coredump);
    return "waiting";
  }
  const allowed = { ...coredump, status: { ...coredump.status, state: "Allowed" as const } };
  const judged = await report(seat, advance(record, "Allowed", {}, seat.desk.now()) as PodRecord, allowed);
  if (seat.desk.seesDecisions) await seat.desk.teller.crash(judged.record, coredump.metadata.name);
  return judged.coredump.status?.state === "Allowed" ? await decide(seat, judged.record, judged.coredump) : "waiting";
}

/** The only step that takes memory off the node: the core is dropped once the store has said what it holds. */
async function store(seat: Seat, record: PodRecord, coredump: Coredump): Promise<Next> {
  const { desk, entry, signal } = seat;
  if (!desk.ship) return "hold";
  if (!seat.mayShip) return "ship";
  try {
    const bundle = await desk.ship(record, entry, signal);
    const core = { ...record.core, path: null };
    const saved = keep(seat, record, "Saved", { bundle, core, reason: null, message: null }, false);
    await recordOnDisk(entry); // the core goes when the disk knows where its bundle is
    dropLocalCopy(entry, saved);
    await report(seat, saved, coredump);
    return "done";
  } catch (error) {
    if (signal.aborted || readRecord(entry)?.state === "Saved") throw error;
    const failed = keep(seat, record, "FailedToSave", { message: whyNotStored(error, desk.storeDownSince?.()) });
    if (needsReport(failed, coredump)) await report(seat, failed, coredump);
    throw error;
  }
}

/** The store's own words, since when, and what is next: the same at each try of one outage, so that it is told once. */
function whyNotStored(error: unknown, since: string | undefined): string {
  const { code, hint } =
    error instanceof DumpError ? (error as DumpError) : { code: "UNEXPECTED" as const, hint: undefined };
  const next = FAILURES[code].retry
    ? "the node goes on trying"
    : `${hint ?? "see the agent's log"}; then the node goes on`;
  return `${reasonOf(error)}${code.startsWith("STORE_") && since !== undefined ? `, since ${since}` : ""}; ${next}`;
}

function needsReport(record: PodRecord, { spec, status }: Coredump): boolean {
  const failedAnew =
    record.state === "FailedToSave" && status?.state === "FailedToSave" && status.message !== record.message;
  const late = (record.core.storedBytes !== null && spec.size === undefined) || (record.bundle && !spec.volume);
  const isTold = isDeliveryTold(record, status?.conditions ?? []);
  return status?.state !== stateInApi(record, status?.state) || failedAnew || Boolean(late) || !isTold;
}

/** Tells the API, and remembers which version of the object that was. */
async function report(seat: Seat, record: PodRecord, coredump: Coredump): Promise<Seen> {
  const told = await seat.desk.registry.report(record, coredump, seat.signal);
  const { resourceVersion } = told.metadata;
  const cluster = record.cluster && { ...record.cluster, resourceVersion };
  return { record: keep(seat, record, record.state, { cluster }), coredump: told };
}

/** Record first, core after: whoever is killed in between has said what it was about to do. */
function keep(seat: Seat, record: PodRecord, to: State, change: Partial<DumpRecord>, drop = true): PodRecord {
  const next = { ...advance(record, to, change, seat.desk.now()), pod: record.pod };
  writeRecord(seat.entry, next);
  if (drop) dropLocalCopy(seat.entry, next);
  return next;
}
