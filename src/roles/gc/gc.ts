/**
 * The collector: removes bundles, and what speaks of them, when their time has come. What it knows is what the
 * API server and the store say; of its own it has only a note of what has been missing since when, and that is in the store.
 */
import { performance } from "node:perf_hooks";
import type { Act } from "../../cluster/collector/acts.ts";
import { tellAlarm } from "../../cluster/collector/alarm.ts";
import { GcCluster } from "../../cluster/collector/cluster.ts";
import { GcRounds } from "../../cluster/collector/rounds.ts";
import { peek } from "../../cluster/retention/ownership.ts";
import type { GcSettings } from "../../config/gc-options.ts";
import { DumpError } from "../../domain/failures.ts";
import { formatBytes } from "../../domain/units.ts";
import { connect, type KubeHttp } from "../../kube/http.ts";
import { type KubeObject, member } from "../../kube/objects.ts";
import { WorkQueue } from "../../kube/workqueue.ts";
import { openStore } from "../../store/open.ts";
import type { BundleStore } from "../../store/ports/bundle-store.ts";
import { exportKeys, storeSettingsOf } from "../apiserver/store.ts";
import { serveRole } from "../health.ts";
import { roleLog, underLease } from "../role.ts";
import type { RoleLog } from "../role-log.ts";
import { StoreHealth } from "../store-health.ts";
import { GcMetrics } from "./metrics.ts";

const LEASE = "coredump-gc";
/** A round over everything. */
const ALL = "";
/** A pod that goes away with twenty others is one round. */
const SETTLE_MS = 1000;
/** However far away the next deadline is: a timer takes no more than 24 days. */
const MOST_MS = 86_400_000;
/** While something seems wrong, so often it is looked at again. */
const ALARM_MS = 30_000;
/** In a dry run: perhaps they are not served. */
const ENDPOINTS_MS = 3000;

interface CollectorParts {
  readonly http: KubeHttp;
  readonly store: BundleStore;
  readonly settings: GcSettings;
  readonly log: RoleLog;
  readonly metrics: GcMetrics;
  readonly health: StoreHealth;
}

/** Runs until `signal`: stands by until it has the lead, then collects, until it loses it. */
export async function runGc(settings: GcSettings, signal: AbortSignal): Promise<void> {
  const store = storeOf(settings);
  const metrics = new GcMetrics();
  const log = await roleLog(settings, metrics);
  await using _server = await serveRole(settings, metrics, log);
  const http = await connect(settings.kubeconfig);
  const probe = (signal: AbortSignal) => peek(store, signal);
  const health = new StoreHealth({ volume: store.volume, probe, log, up: metrics.storeUp });
  const parts = { http, store, settings, log, metrics, health };
  const led = underLease(parts, LEASE, (leading) => collect(parts, leading), signal);
  await Promise.all([led, health.run(signal)]); // one that stands by is to find out, too
}

/**
 * What would be done now, a line each; also what would be held back, and why. Changes nothing, and needs no lead.
 * @throws DumpError RETENTION_STOPPED, API_…, STORE_…
 */
export async function dryRun(
  settings: GcSettings,
  signal: AbortSignal,
): Promise<{ readonly lines: readonly string[]; readonly alarm: DumpError | undefined }> {
  const [store, http, stop] = [storeOf(settings), await connect(settings.kubeconfig), new AbortController()];
  const until = AbortSignal.any([signal, stop.signal]);
  const lines: string[] = [];
  let alarm: DumpError | undefined;
  const done = ({ verb, what, name, why, sizeBytes }: Act, held = "") =>
    lines.push(`${held}${verb} ${what} ${name}: ${why}${sizeBytes === undefined ? "" : `, ${formatBytes(sizeBytes)}`}`);
  const held = async (why: DumpError | undefined, acts: readonly Act[]) => {
    alarm = why;
    for (const act of acts) done(act, "hold back: ");
  };
  const cluster = new GcCluster(http, () => undefined);
  const following = cluster.follow((resource, problem) => {
    if (unlessUnserved(resource, problem) !== undefined) stop.abort(problem);
  }, until);
  try {
    await cluster.whenSynced(until);
    await cluster.endpoints.whenSynced(AbortSignal.any([until, AbortSignal.timeout(ENDPOINTS_MS)]));
    until.throwIfAborted();
    const clusterUid = await clusterUidOf(http, until);
    const counted = () => undefined;
    await new GcRounds({ http, store, settings, cluster, clusterUid, done, held, counted }).round(ALL, until);
    return { lines, alarm };
  } finally {
    stop.abort();
    await following;
  }
}

/** @throws DumpError SETTINGS_INVALID */
function storeOf(settings: GcSettings): BundleStore {
  exportKeys(settings);
  return openStore(storeSettingsOf(settings));
}

/** As the leader. Never throws: what fails is reported and tried again. */
async function collect(parts: CollectorParts, signal: AbortSignal): Promise<void> {
  try {
    await work(parts, signal);
  } finally {
    parts.metrics.alarm.set(0);
  }
}

async function work(parts: CollectorParts, signal: AbortSignal): Promise<void> {
  const { http, store, settings, log, metrics } = parts;
  let rounds: GcRounds | undefined;
  const cluster = new GcCluster(http, (namespace) => rounds && queue.add(namespace));
  const done = (act: Act) => tellAct(parts, act);
  const held = (alarm: DumpError | undefined) => raise(parts, HELD, alarm, signal);
  const queue = new WorkQueue({
    work: async (scope, signal) => {
      const clusterUid = await clusterUidOf(http, signal);
      rounds ??= new GcRounds({ http, store, settings, cluster, clusterUid, done, held, counted: metrics.counted });
      queue.add(ALL, await timed(parts, rounds, scope, signal));
      return undefined;
    },
    closed: true,
    onFailure: (scope, error) => log.trouble(placeOf(scope), error),
    ...{ signal, atOnce: 1, settleMs: SETTLE_MS },
  });
  const following = cluster.follow((resource, problem) => {
    log.trouble(resource, unlessUnserved(resource, problem));
  }, signal);
  await cluster.whenSynced(signal);
  queue.add(ALL, 0);
  queue.open();
  await following;
  await queue.ended();
}

/** @returns in how many milliseconds to look at everything again */
async function timed(parts: CollectorParts, rounds: GcRounds, scope: string, signal: AbortSignal): Promise<number> {
  const { settings, log, metrics, health } = parts;
  const startMs = performance.now();
  try {
    const nextMs = (await rounds.round(scope, signal)) ?? Number.POSITIVE_INFINITY;
    metrics.rounds.observe({ over: scope === ALL ? "all" : "namespace" }, (performance.now() - startMs) / 1000);
    log.trouble(placeOf(scope), undefined);
    health.saw(undefined); // it was listed
    if (scope === ALL) await raise(parts, STOPPED, undefined, signal);
    return Math.max(Math.min(settings.intervalMs, nextMs - Date.now(), MOST_MS), SETTLE_MS);
  } catch (error) {
    if (!(error instanceof DumpError) || error.code !== "RETENTION_STOPPED") throw error;
    log.trouble(placeOf(scope), undefined); // whatever failed there before: there may be no next visit
    await raise(parts, STOPPED, error, signal);
    return Math.max(Math.min(settings.intervalMs, ALARM_MS), SETTLE_MS);
  }
}

/** Nothing is touched; what is in doubt waits. */
const [STOPPED, HELD] = ["alarm", "held back"];

/** @param alarm undefined: that one is over */
async function raise(
  { http, settings, log, metrics }: CollectorParts,
  where: string,
  alarm: DumpError | undefined,
  signal: AbortSignal,
): Promise<void> {
  log.trouble(where, alarm);
  metrics.alarm.set(log.isTroubled(STOPPED) || log.isTroubled(HELD) ? 1 : 0);
  if (!alarm) return;
  await tellAlarm(http, settings.systemNamespace, LEASE, alarm, signal).then(
    () => log.mishap("event", undefined),
    (error: unknown) => log.mishap("event", error),
  );
}

function tellAct({ log, metrics }: CollectorParts, { verb, what, name, why, sizeBytes = 0 }: Act): void {
  log.note(`${verb} ${what}`, { name, why });
  if (verb === "remove") metrics.removed.inc({ what, why });
  if (what === "bundle") metrics.removedBytes.inc(sizeBytes);
}

const placeOf = (scope: string): string => (scope === ALL ? "round" : `namespace ${scope}`);

/** Where there is no API server of ours, it is not missed. */
const unlessUnserved = (resource: string, problem: unknown): unknown =>
  resource === "coredumpendpoints" && problem instanceof DumpError && problem.code === "API_KIND_MISSING"
    ? undefined
    : problem;

async function clusterUidOf(http: KubeHttp, signal: AbortSignal): Promise<string> {
  const ask = { verb: "get", resource: "namespaces", path: member("v1", "namespaces", "kube-system"), signal } as const;
  return (await http.json<KubeObject>(ask)).metadata.uid;
}
