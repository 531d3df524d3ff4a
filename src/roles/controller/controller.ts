/**
 * The controller: decides about dumps that are Created, by their namespace's quotas; keeps records without storage to a
 * number; labels the nodes that have an agent. It holds nothing of its own: what it knows is what the API server says.
 */
import { performance } from "node:perf_hooks";
import { API_SERVICE, watchApiService } from "../../cluster/controller/apiservice.ts";
import { NODES, NodeKeeper } from "../../cluster/controller/nodes.ts";
import { QuotaKeeper } from "../../cluster/controller/quotas.ts";
import { keepRecords } from "../../cluster/controller/records.ts";
import { dumpView, type QuotaObject, quotaView } from "../../cluster/controller/view.ts";
import type { ControllerSettings } from "../../config/cluster-options.ts";
import { type Coredump, coredumpsIn } from "../../kube/coredump.ts";
import { connect, type KubeHttp } from "../../kube/http.ts";
import { follow, type Kind } from "../../kube/informer.ts";
import { leasesPath } from "../../kube/lease.ts";
import { Mirror } from "../../kube/mirror.ts";
import { COREDUMP_API, collection } from "../../kube/objects.ts";
import { WorkQueue } from "../../kube/workqueue.ts";
import { serveHealth } from "../health.ts";
import { logOf, underLease } from "../led.ts";
import { ControllerDiary } from "./diary.ts";
import { ControllerMetrics } from "./metrics.ts";

const LEASE = "coredump-controller";
const DUMPS: Kind = { resource: "coredumps", path: coredumpsIn() };
const QUOTAS: Kind = { resource: "coredumpquotas", path: collection(COREDUMP_API, "coredumpquotas") };

/** Namespaces, and nodes, at once. */
const AT_ONCE = 4;
/** A burst of crashes becomes one round; nobody waits for a verdict to see that something crashed. */
const SETTLE_MS = 50;

interface ControllerParts {
  readonly http: KubeHttp;
  readonly settings: ControllerSettings;
  readonly diary: ControllerDiary;
  readonly metrics: ControllerMetrics;
}

/** Runs until `signal`: stands by until it has the lead, then decides, until it loses it. */
export async function runController(settings: ControllerSettings, signal: AbortSignal): Promise<void> {
  const log = await logOf(settings);
  const metrics = new ControllerMetrics();
  const diary = new ControllerDiary(log, metrics);
  const http = counting(await connect(settings.kubeconfig), metrics);
  const health = { problems: diary.problems, metrics: () => metrics.registry.metrics() };
  await using _server = settings.metricsPort > 0 ? await serveHealth(settings.metricsPort, health) : undefined;
  const office = { http, settings, diary, metrics };
  const work = async (leading: AbortSignal) => {
    await Promise.all([decide(office, leading), keepNodes(office, leading), watchOver(office, leading)]);
  };
  await underLease(office, LEASE, work, signal);
}

async function decide(office: ControllerParts, signal: AbortSignal): Promise<void> {
  const { http, settings, diary, metrics } = office;
  const queue = new WorkQueue({
    work: (namespace, signal) => round(namespace, signal),
    closed: true,
    onFailure: (namespace, error) => diary.trouble(`namespace ${namespace}`, error),
    ...{ signal, atOnce: AT_ONCE, settleMs: SETTLE_MS },
  });
  const dumps = new Mirror<Coredump, ReturnType<typeof dumpView>>(dumpView, (namespace) => queue.add(namespace));
  const quotas = new Mirror<QuotaObject, ReturnType<typeof quotaView>>(quotaView, (namespace) => queue.add(namespace));
  const keeper = new QuotaKeeper(http, dumps, quotas);
  metrics.watch(dumps, quotas, () => queue.depth);

  const round = async (namespace: string, signal: AbortSignal) => {
    const startMs = performance.now();
    diary.decided(namespace, await keeper.keep(namespace, signal));
    metrics.collapsed.inc(await keepRecords(http, dumps, namespace, settings.maxRecords, signal));
    diary.trouble(`namespace ${namespace}`, undefined);
    metrics.rounds.observe((performance.now() - startMs) / 1000);
    return undefined;
  };

  // Quotas first: a ledger that was read before all dumps were knows of no dump that we do not.
  const following = [follow(http, QUOTAS, quotas, troubleWith(diary, QUOTAS), signal)];
  await quotas.whenSynced(signal);
  following.push(follow(http, DUMPS, dumps, troubleWith(diary, DUMPS), signal));
  await dumps.whenSynced(signal);
  keeper.confirmAll();
  queue.open();
  await Promise.all(following);
  await queue.ended();
}

async function keepNodes({ http, settings, diary }: ControllerParts, signal: AbortSignal): Promise<void> {
  const { systemNamespace: namespace } = settings;
  const leases: Kind = { resource: "leases", path: leasesPath(namespace) };
  const keeper = new NodeKeeper(http, namespace, (node) => queue.add(node));
  const queue = new WorkQueue({
    work: async (node, signal) => {
      const { labelled, againMs } = await keeper.keep(node, signal);
      if (labelled !== undefined) diary.note(labelled ? "Labelled" : "Label removed", { node });
      diary.trouble(`node ${node}`, undefined);
      return againMs;
    },
    closed: true,
    onFailure: (node, error) => diary.trouble(`node ${node}`, error),
    ...{ signal, atOnce: AT_ONCE, settleMs: SETTLE_MS },
  });
  const following = [
    follow(http, leases, keeper.leases, troubleWith(diary, leases), signal),
    follow(http, NODES, keeper.nodes, troubleWith(diary, NODES), signal),
  ];
  await Promise.all([keeper.leases.whenSynced(signal), keeper.nodes.whenSynced(signal)]);
  queue.open();
  await Promise.all(following);
  await queue.ended();
}

async function watchOver({ http, settings, diary }: ControllerParts, signal: AbortSignal): Promise<void> {
  if (!settings.watchApiService) return;
  const watchdog = {
    ...{ http, namespace: settings.systemNamespace, graceMs: settings.apiServiceGraceMs },
    onChange: (isThere: boolean) => diary.note(isThere ? "APIService put back" : "APIService taken away"),
    onProblem: (problem: unknown) => diary.trouble(`apiservice ${API_SERVICE}`, problem),
    onState: (words: string | undefined) => diary.state(`apiservice ${API_SERVICE}`, words),
  };
  await watchApiService(watchdog, signal);
}

const troubleWith =
  (diary: ControllerDiary, { resource }: Kind) =>
  (error: unknown) =>
    diary.trouble(resource, error);

function counting(http: KubeHttp, { requests }: ControllerMetrics): KubeHttp {
  return {
    json: (request) => {
      requests.inc({ verb: request.verb, resource: request.resource });
      return http.json(request);
    },
    stream: (request) => {
      requests.inc({ verb: request.verb, resource: request.resource });
      return http.stream(request);
    },
  };
}
