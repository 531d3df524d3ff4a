/**
 * The agent: takes every dump of this node from wherever it stopped into the cluster and the store. It keeps nothing of
 * its own: cache and API say what is to be done, so it may be killed at any step.
 */
import type { Changes, Registry } from "../../cluster/registration/registry.ts";
import { type Absent, changesFor, hasten, type Queues } from "../../cluster/steps/changes.ts";
import type { Deliver, EventRecorder, Next, Ship, StepContext } from "../../cluster/steps/context.ts";
import { deliverDump, isDeliveryPending } from "../../cluster/steps/deliver.ts";
import { missingFrom, missingWords, tellMissing } from "../../cluster/steps/missing.ts";
import { listenForHandlers } from "../../cluster/steps/socket.ts";
import { advanceDump } from "../../cluster/steps/steps.ts";
import type { AgentSettings } from "../../config/cluster-options.ts";
import { type QueueOptions, WorkQueue } from "../../kube/workqueue.ts";
import { AT_ONCE_BYTES, finishIfAbandoned } from "../../node/cache/abandoned.ts";
import { type Cache, openCache } from "../../node/cache/cache.ts";
import { readRecord } from "../../node/cache/record.ts";
import { explainLater } from "../../node/capture/explaining.ts";
import { backoffMs, repeat } from "../../system/backoff.ts";
import type { AgentLog } from "./agent-log.ts";
import { forgetOld, heldBy, isOpen, watchCache } from "./upkeep.ts";

interface AgentWorld {
  readonly settings: AgentSettings;
  readonly node: string;
  readonly registry: Registry;
  readonly ship: Ship | undefined;
  readonly storeDownSince?: StepContext["storeDownSince"];
  readonly deliver: Deliver | undefined;
  readonly events: EventRecorder;
  /** What becomes of each dump, in words and figures. */
  readonly log: Pick<AgentLog, "advanced" | "delivered" | "failed" | "trouble" | "pulse">;
}

/** How long until a dump is looked at again when nothing reports a change of it. */
const AGAIN_MS: Readonly<Record<Next, number | undefined>> = {
  done: undefined,
  waiting: 60_000,
  ship: undefined, // the other queue has it
  busy: 500,
  hold: 300_000,
};
const REGISTRATIONS = 8;
/** Into volumes of tenants, which may hang: each by a process of its own. */
const DELIVERIES = 4;
const REDELIVER_MS = 15_000;
const SCAN_MS = 60_000;
/** After so many failures of a dump. */
const pauseMs = (failures: number) => backoffMs(2 + failures, 300_000);
type Ending = Required<Pick<QueueOptions, "signal" | "park">>;

/** Runs until `signal`; uploads may then go on for the grace period. */
export async function runAgent(world: AgentWorld, signal: AbortSignal): Promise<void> {
  const { settings, log } = world;
  const cache = openCache(settings.dumpDir, { create: true, explain: explainLater(settings.crash) });
  const absent: Absent = { deleted: new Set(), forgotten: new Set() };
  const queues = queuesOf(world, cache, absent, endingOf(signal, settings.graceMs));
  const noted = (id: string) => queues.quick.hasten(id);
  await using _socket = await listenForHandlers(settings.dumpDir, noted);
  using _watching = watchCache(settings.dumpDir, noted);
  const changes = changesFor(cache, queues, absent);
  const listed: Changes["listed"] = (coredumps, version) => {
    log.pulse("list");
    changes.listed(coredumps, version);
    const words = missingWords(settings.dumpDir);
    const missing = missingFrom(cache.spool.all(), coredumps, words);
    tellMissing(world.registry, missing, words, signal).then(
      () => log.trouble("missing", undefined),
      (error) => signal.aborted || log.trouble("missing", error),
    );
  };
  let isCutOff = false;
  const heard = (problem: unknown) => {
    log.trouble("watch", problem);
    if (problem === undefined && isCutOff) hasten(queues);
    isCutOff = problem !== undefined;
  };
  const following = world.registry.follow(world.node, { ...changes, listed }, heard, signal);
  await keepUp(world, cache, queues, signal);
  await Promise.all([following, ...Object.values(queues).map((queue) => queue.ended())]);
}

/** Steps that take moments in the one, transfers in the others: a long upload keeps no crash from being seen. */
function queuesOf(
  { settings, node, registry, ship, storeDownSince, deliver, events, log }: AgentWorld,
  cache: Cache,
  absent: Absent,
  ending: Ending,
) {
  const { spool } = cache;
  const context: StepContext = {
    ...{ node, registry, settings, ship, storeDownSince, deliver, events, seesDecisions: true, ...absent },
    heldBy: (namespace) => heldBy(spool, namespace),
    now: () => new Date(),
  };
  const queue = (atOnce: number, work: QueueOptions["work"]) =>
    new WorkQueue({ ...ending, atOnce, work, onFailure: (...failed) => log.failed(...failed), pauseMs });
  const step = async (id: string, mayShip: boolean, signal: AbortSignal) => {
    const next = await advanceDump({ ...context, entry: spool.entry(id), mayShip, signal });
    log.advanced(id, next);
    return next;
  };
  const uploads = queue(settings.uploads, async (id, signal) => {
    const next = await step(id, true, signal);
    return next === "busy" ? AGAIN_MS.busy : undefined;
  });
  const quick = queue(REGISTRATIONS, async (id, signal) => {
    const entry = spool.entry(id);
    const next = await step(id, false, signal).finally(() => {
      if (isDeliveryPending(readRecord(entry))) deliveries.offer(id); // whatever stood in the way of the rest
    });
    if (next === "ship") uploads.offer(id); // one that failed waits for its next try
    if (next !== "waiting" || readRecord(entry)?.state !== "Capturing") return AGAIN_MS[next];
    seals.offer(id); // its lock is free: its handler was killed
    return undefined;
  });
  const seals = queue(1, async (id, signal) => {
    await finishIfAbandoned(spool.entry(id), { signal, explain: explainLater(settings.crash) });
    quick.hasten(id);
    return undefined;
  });
  const deliveries = queue(DELIVERIES, async (id, signal) => {
    const entry = spool.entry(id);
    const isDue = isDeliveryPending(readRecord(entry));
    const next = await deliverDump({ ...context, entry, mayShip: false, signal });
    const { delivery } = readRecord(entry) ?? {};
    if (isDue && delivery && next !== "busy") log.delivered(id, delivery);
    if (next !== "busy") quick.hasten(id); // the object is to say it
    return next === "waiting" ? REDELIVER_MS : AGAIN_MS[next];
  });
  return { quick, uploads, deliveries, seals };
}

/** SIGTERM: nothing new is begun at once; what is at work may come to its end, for a while. */
function endingOf(signal: AbortSignal, graceMs: number): Ending {
  const park = new AbortController();
  signal.addEventListener("abort", () => void setTimeout(() => park.abort(), graceMs).unref(), { once: true });
  return { signal, park: park.signal };
}

/** All that is there at the start; then whatever was not announced. */
async function keepUp({ settings, log }: AgentWorld, cache: Cache, { quick, seals }: Queues, signal: AbortSignal) {
  let isFirst = true;
  const scan = async () => {
    for (const id of await cache.finishAbandoned({ mostBytes: AT_ONCE_BYTES })) seals.offer(id);
    forgetOld(cache, settings.keepRecordsMs, new Date());
    // Once all of them: what the API did not learn before we were killed shows only by asking.
    const records = isFirst ? cache.records().filter(({ pod }) => pod !== null) : cache.living().filter(isOpen);
    for (const { id } of records) quick.hasten(id);
    isFirst = false;
    await cache.endSettled(new Date());
  };
  const scanned = (problem: unknown) => {
    log.trouble("cache", problem);
    log.pulse("scan");
  };
  await repeat(scan, SCAN_MS, scanned, signal);
}
