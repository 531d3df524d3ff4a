/**
 * The API server: coredumpendpoints, and the bytes of dumps, through kube-apiserver's aggregation layer. What it knows is in
 * its storage, in the store and in the cluster; several of them serve side by side over one etcd.
 */
import type { Server } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { Authentication } from "../../api/server/authentication.ts";
import { Authorization } from "../../api/server/authorization.ts";
import { ClusterUids } from "../../api/server/cluster.ts";
import { ClusterTrust, TRUST, type TrustMap } from "../../api/server/cluster-trust.ts";
import { addDumpRoutes, type Downloads } from "../../api/server/dump-route.ts";
import { Endpoints } from "../../api/server/endpoints.ts";
import { guardOf } from "../../api/server/guard.ts";
import { ApiMetrics } from "../../api/server/metrics.ts";
import { addRoutes } from "../../api/server/routes.ts";
import { createServer, tlsOptions } from "../../api/server/server.ts";
import { Keys } from "../../api/server/stored.ts";
import { TimedCache } from "../../api/server/timed-cache.ts";
import { serveWatch } from "../../api/server/watch-route.ts";
import { openStorage } from "../../api/storage/open.ts";
import { SharedWatch } from "../../api/storage/shared-watch.ts";
import type { ObjectStorage } from "../../api/storage/storage.ts";
import type { ApiserverSettings } from "../../config/apiserver-options.ts";
import { DumpError, reasonOf } from "../../domain/failures.ts";
import { connect, type KubeHttp } from "../../kube/http.ts";
import { follow } from "../../kube/informer.ts";
import { Bundles } from "../../store/download/bundles.ts";
import { openDump } from "../../store/download/dump.ts";
import { openEndpoint } from "../../store/download/endpoint.ts";
import { openSource, readProbe } from "../../store/open.ts";
import { forgetStart, giveBackLarge, growSlowly } from "../../system/footprint.ts";
import { type KeyPair, type KeyPairFiles, keyPairsIn } from "../../system/key-pair.ts";
import { logOf } from "../role.ts";
import { RoleLog } from "../role-log.ts";
import { healthOf, isForGood, type StoreHealth } from "../store-health.ts";
import { exportKeys, storeSettingsOf } from "./store.ts";

const LINGER_MS = 3_000;
const PING_MS = 5_000;
/** A ping is a write, and strangers may ask how we are. */
const PING_EVERY_MS = 1_000;

interface ApiserverParts {
  readonly settings: ApiserverSettings;
  readonly kube: KubeHttp;
  readonly keys: Keys;
  readonly storage: ObjectStorage;
  readonly downloads: Downloads;
  readonly metrics: ApiMetrics;
  readonly audit: Logger;
  readonly log: RoleLog;
  readonly store: StoreHealth | undefined;
}

/** Runs until `signal`. @throws DumpError SETTINGS_INVALID, STORAGE_UNAVAILABLE when it cannot begin */
export async function runApiserver(settings: ApiserverSettings, signal: AbortSignal): Promise<void> {
  giveBackLarge();
  growSlowly();
  const metrics = new ApiMetrics();
  const audit = await logOf(settings);
  const log = new RoleLog(audit, (code) => metrics.failures.inc({ code }));
  const kube = await connect(settings.kubeconfig);
  const downloads = downloadsOf(settings, kube);
  const keys = new Keys(settings.etcdPrefix);
  await using storage = new SharedWatch(await openStorage(settings), keys.in(undefined));
  // One that is away is not a reason not to serve: without this server no namespace's deletion ends. Settings that are wrong are.
  const watch = { log, up: metrics.storeUp, blocks: isForGood };
  const store = healthOf(storeSettingsOf(settings), readProbe, watch);
  await serve({ settings, kube, keys, storage, downloads, metrics, audit, log, store }, signal);
}

async function serve(parts: ApiserverParts, ending: AbortSignal): Promise<void> {
  const { settings, kube, log, store } = parts;
  const files = tlsFiles(settings);
  const signal = later(ending, Math.min(settings.graceMs, LINGER_MS));
  let [pair, app]: [KeyPair | undefined, FastifyInstance | undefined] = [undefined, undefined];
  const trust = new ClusterTrust(() => renew());
  const renew = () => pair && app && (app.server as Server).setSecureContext(tlsOptions(pair, trust.pem));
  const probing = store?.run(signal);
  const following = follow<TrustMap>(kube, TRUST, trust, (problem) => log.trouble("configmaps", problem), signal);
  for await (pair of keyPairsIn(files, (problem) => log.trouble("certificate", problem), signal)) {
    if (app) renew();
    else {
      app = assemble(parts, trust, pair, { ending, stopping: signal });
      log.note("Serving", { address: await listen(app, settings) });
      forgetStart();
    }
  }
  await Promise.all([following, probing]);
  if (app) await close(app, settings.graceMs);
}

const listen = (app: FastifyInstance, { bindAddress: host, port }: ApiserverSettings): Promise<string> =>
  app.listen({ host, port }).catch((cause) => {
    throw new DumpError("SETTINGS_INVALID", `Cannot listen on port ${port}: ${reasonOf(cause)}`, { cause });
  });

/** Fires so much later. */
function later(signal: AbortSignal, ms: number): AbortSignal {
  const fired = new AbortController();
  signal.addEventListener("abort", () => setTimeout(() => fired.abort(), ms), { once: true });
  return fired.signal;
}

interface Ends {
  /** We are no longer ready, but serve on: those who send requests need a moment to see that. */
  readonly ending: AbortSignal;
  readonly stopping: AbortSignal;
}

function assemble(
  parts: ApiserverParts,
  trust: ClusterTrust,
  pair: KeyPair,
  { ending, stopping }: Ends,
): FastifyInstance {
  const { settings, kube, keys, storage, downloads, metrics, audit, log } = parts;
  const endpoints = new Endpoints(storage, keys, new ClusterUids(kube));
  const guard = guardOf(new Authentication(trust, kube), new Authorization(kube));
  const pinged = new TimedCache<boolean>(() => PING_EVERY_MS);
  const answers = () =>
    storage.ping(AbortSignal.timeout(PING_MS)).then(
      () => log.trouble("storage", undefined),
      (error) => log.trouble("storage", error),
    );
  // For anybody to read: reasons, with names and addresses in them, are in the log alone.
  const problems = async () => {
    if (ending.aborted) return ["ending"];
    await pinged.get("storage", () => answers().then(() => true));
    return [
      ...(log.isTroubled("storage") ? ["the storage of endpoints does not answer: see the log"] : []),
      ...(log.isTroubled("store") ? ["the store of dumps cannot be used: see the log"] : []),
      ...(trust.known ? [] : ["the cluster's authorities are not known yet: see the log"]),
    ];
  };
  const app = createServer(tlsOptions(pair, trust.pem), { guard, metrics, log: audit, problems });
  const watchParts = { storage, keys, guard, metrics, stopping };
  addRoutes(app, { storage, keys, endpoints, serveWatch: (request, reply) => serveWatch(request, reply, watchParts) });
  addDumpRoutes(app, { downloads, endpoints, metrics, audit, perUser: settings.downloadsPerUser });
  return app;
}

function downloadsOf(settings: ApiserverSettings, kube: KubeHttp): Downloads {
  exportKeys(settings);
  const deps = { kube, bundles: new Bundles(openSource(storeSettingsOf(settings))) };
  return {
    openDump: (request, signal) => openDump(request, deps, signal),
    openEndpoint: (request, signal) => openEndpoint(request, deps, signal),
  };
}

/** No more is taken; watches have ended; what is being downloaded may end within its time. */
async function close(app: FastifyInstance, graceMs: number): Promise<void> {
  const closed = app.close();
  await Promise.race([closed, sleep(graceMs, undefined, { ref: false })]);
  app.server.closeAllConnections();
  await closed;
}

function tlsFiles({ certFile, keyFile }: ApiserverSettings): KeyPairFiles {
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  throw new DumpError("SETTINGS_INVALID", "Cannot serve without a certificate", {
    hint: "give --tls-cert-file and --tls-private-key-file",
  });
}
