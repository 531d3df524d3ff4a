/**
 * The controller: decides about dumps that are Created, by their namespace's quotas; keeps records without storage to a
 * number; labels the nodes that have an agent. It holds nothing of its own: what it knows is what the API server says.
 */
import { performance } from "node:perf_hooks";
import { API_SERVICE, watchApiService } from "../../cluster/controller/apiservice.ts";
import { NODES, NodeKeeper } from "../../cluster/controller/nodes.ts";
import { QuotaKeeper } from "../../cluster/controller/quotas.ts";
import { keepRecords } from "../../cluster/controller/records.ts";
import { type DumpView, dumpView, type QuotaObject, quotaView } from "../../cluster/controller/view.ts";
import type { Judgement } from "../../cluster/policy/quota.ts";
import type { ControllerSettings } from "../../config/cluster-options.ts";
import { DumpError } from "../../domain/failures.ts";
import { type Coredump, coredumpsIn } from "../../kube/coredump.ts";
import { connect, type KubeHttp } from "../../kube/http.ts";
import { follow, type Kind } from "../../kube/informer.ts";
import { leasesPath } from "../../kube/lease.ts";
import { Mirror } from "../../kube/mirror.ts";
import { COREDUMP_API, collection } from "../../kube/objects.ts";
import { WorkQueue } from "../../kube/workqueue.ts";
import { serveRole } from "../health.ts";
import { roleLog, underLease } from "../role.ts";
import type { RoleLog } from "../role-log.ts";
import { ControllerMetrics } from "./metrics.ts";

const LEASE = "coredump-controller";
const DUMPS: Kind = { resource: "coredumps", path: coredumpsIn() };
const QUOTAS: Kind = { resource: "coredumpquotas", path: collection(COREDUMP_API, "coredumpquotas") };

/** Namespaces at once. */
const AT_ONCE = 4;
/** Helm leaves a second or two to take the labels off all of them. */
const NODES_AT_ONCE = 16;
/** A burst of crashes becomes one round; a crash can be seen before its verdict. */
const SETTLE_MS = 50;

interface ControllerParts {
  readonly http: KubeHttp;
  readonly settings: ControllerSettings;
  readonly log: RoleLog;
  readonly metrics: ControllerMetrics;
}

/** Runs until `signal`: stands by until it has the lead, then decides, until it loses it. */
export async function runController(settings: ControllerSettings, signal: AbortSignal): Promise<void> {
  const metrics = new ControllerMetrics();
  const log = await roleLog(settings, metrics);
  const http = counting(await connect(settings.kubeconfig), metrics);
  await using _server = await serveRole(settings, metrics, log);
  const parts = { http, settings, log, metrics };
  const work = async (leading: AbortSignal) => {
    await Promise.all([decide(parts, leading), keepNodes(parts, leading), watchOver(parts, leading)]);
  };
  await underLease(parts, LEASE, work, signal);
}

async function decide(parts: ControllerParts, signal: AbortSignal): Promise<void> {
  const { http, settings, log, metrics } = parts;
  const queue = new WorkQueue({
    work: (namespace, signal) => round(namespace, signal),
    closed: true,
    onFailure: (namespace, error) => log.trouble(`namespace ${namespace}`, error),
    ...{ signal, atOnce: AT_ONCE, settleMs: SETTLE_MS },
  });
  const dumps = new Mirror<Coredump, ReturnType<typeof dumpView>>(dumpView, (namespace) => queue.add(namespace));
  const quotas = new Mirror<QuotaObject, ReturnType<typeof quotaView>>(quotaView, (namespace) => queue.add(namespace));
  const keeper = new QuotaKeeper(http, dumps, quotas);
  metrics.watch(dumps, quotas, () => queue.depth);

  const round = async (namespace: string, signal: AbortSignal) => {
    const startMs = performance.now();
    report(parts, namespace, await keeper.keep(namespace, signal));
    metrics.collapsed.inc(await keepRecords(http, dumps, namespace, settings.maxRecords, signal));
    log.trouble(`namespace ${namespace}`, undefined);
    metrics.rounds.observe((performance.now() - startMs) / 1000);
    return undefined;
  };

  // Quotas first: a ledger that was read before all dumps were knows of no dump that we do not.
  const following = [follow(http, QUOTAS, quotas, troubleWith(log, QUOTAS), signal)];
  await quotas.whenSynced(signal);
  following.push(follow(http, DUMPS, dumps, troubleWith(log, DUMPS), signal));
  await dumps.whenSynced(signal);
  keeper.confirmAll();
  queue.open();
  await Promise.all(following);
  await queue.ended();
}

/** What was decided, and which quotas cannot be read. */
function report(
  { log, metrics }: ControllerParts,
  namespace: string,
  { allowed, denied, unreadable }: Judgement<DumpView>,
): void {
  for (const [decision, verdicts] of Object.entries({ Allowed: allowed, Denied: denied })) {
    if (verdicts.length > 0) metrics.decisions.inc({ decision }, verdicts.length);
    for (const { dump, denial } of verdicts)
      log.note("Decided", { namespace, dump: dump.name, decision, ...(denial && { why: denial }) });
  }
  const words = unreadable.map(
    (name) => `CoredumpQuota ${namespace}/${name} has no readable spec.hard; its dumps wait`,
  );
  const problem = words.length > 0 ? new DumpError("API_INVALID", words.join("; ")) : undefined;
  log.trouble(`quotas of ${namespace}`, problem);
}

async function keepNodes({ http, settings, log }: ControllerParts, signal: AbortSignal): Promise<void> {
  const { systemNamespace: namespace } = settings;
  const leases: Kind = { resource: "leases", path: leasesPath(namespace) };
  const keeper = new NodeKeeper(http, namespace, (node) => queue.add(node));
  const queue = new WorkQueue({
    work: async (node, signal) => {
      const { labelled, againMs } = await keeper.keep(node, signal);
      if (labelled !== undefined) log.note(labelled ? "Labelled" : "Label removed", { node });
      log.trouble(`node ${node}`, undefined);
      return againMs;
    },
    closed: true,
    onFailure: (node, error) => log.trouble(`node ${node}`, error),
    ...{ signal, atOnce: NODES_AT_ONCE, settleMs: SETTLE_MS },
  });
  const following = [
    follow(http, leases, keeper.leases, troubleWith(log, leases), signal),
    follow(http, NODES, keeper.nodes, troubleWith(log, NODES), signal),
  ];
  await Promise.all([keeper.leases.whenSynced(signal), keeper.nodes.whenSynced(signal)]);
  queue.open();
  await Promise.all(following);
  await queue.ended();
}

async function watchOver({ http, settings, log }: ControllerParts, signal: AbortSignal): Promise<void> {
  if (!settings.watchApiService) return;
  const watchdog = {
    ...{ http, namespace: settings.systemNamespace, graceMs: settings.apiServiceGraceMs },
    onChange: (isThere: boolean) => log.note(isThere ? "APIService put back" : "APIService taken away"),
    onProblem: (problem: unknown) => log.trouble(`apiservice ${API_SERVICE}`, problem),
    onState: (words: string | undefined) => log.state(`apiservice ${API_SERVICE}`, words),
  };
  await watchApiService(watchdog, signal);
}

const troubleWith =
  (log: RoleLog, { resource }: Kind) =>
  (error: unknown) =>
    log.trouble(resource, error);

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
