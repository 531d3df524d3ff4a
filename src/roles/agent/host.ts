/** The agent on a real node: its connections, its log, its figures, its end. */

import { KubeRegistry } from "../../cluster/registration/kube-registry.ts";
import { nodeNameOf, type Ship } from "../../cluster/steps/context.ts";
import { deliverBy } from "../../cluster/steps/deliver.ts";
import { eventRecorder } from "../../cluster/steps/event-recorder.ts";
import type { AgentSettings } from "../../config/cluster-options.ts";
import { connect } from "../../kube/http.ts";
import { openCache } from "../../node/cache/cache.ts";
import { writeProbe } from "../../store/open.ts";
import { forgetStart, giveBackLarge } from "../../system/footprint.ts";
import { serveRole } from "../health.ts";
import { logOf } from "../role.ts";
import { healthOf, type StoreHealth } from "../store-health.ts";
import { runAgent } from "./agent.ts";
import { AgentLog } from "./agent-log.ts";
import { AgentMetrics } from "./metrics.ts";
import { patternOrder, serveNode } from "./node.ts";
import type { PatternOrder } from "./pattern.ts";
import { endAfter, isRemoved } from "./removal.ts";
import { Retirement } from "./retire.ts";
import { shipTo } from "./store.ts";

/** How old the figures on the Lease may be: all records are read for them. */
const WAITING_MS = 60_000;

/** Runs until the signal, and a little longer where the node is to be given back. @throws DumpError when it cannot even begin */
export async function agentOnHost(
  settings: AgentSettings,
  forHandler: PatternOrder["settings"],
  stop: AbortSignal,
): Promise<void> {
  giveBackLarge();
  const node = nodeNameOf(settings);
  const cache = openCache(settings.dumpDir, { create: true });
  const http = await connect(settings.kubeconfig);
  const metrics = new AgentMetrics(cache);
  const log = new AgentLog(await logOf(settings, 2), metrics, cache);
  const store = healthOf(settings, writeProbe, { log, up: metrics.storeUp });
  const world = {
    ...{ settings, node, log },
    registry: new KubeRegistry(http),
    ship: watched(shipTo(settings), store, metrics),
    storeDownSince: () => (store?.status.isUp === false ? store.status.since : undefined),
    deliver: deliverBy(settings),
    events: eventRecorder(http, node, (error) => log.mishap("event", error)),
  };
  await using _server = await serveRole(settings, metrics, log);
  log.note("agent started", { node, dumps: settings.dumpDir, store: settings.store ?? null });
  forgetStart();
  const waiting = metrics.waiting(WAITING_MS);
  const status = () => ({ problems: log.problems(), ...(store && { store: store.status }), ...waiting() });
  const order = patternOrder(settings, forHandler);
  const end = endAfter(stop, async () => {
    if (!(await isRemoved(http, settings, node))) return;
    const said = await retirement.retire(Date.now() + settings.retireMs);
    log.note(`the agents are removed, so the node is given back: ${said}`, { node });
  });
  const served = { cache, dumpDir: settings.dumpDir, installed: order, hasStore: world.ship !== undefined };
  const retirement = new Retirement(served, end);
  const service = { settings, order, retirement, node, cache, http, log, status };
  await Promise.all([runAgent(world, end), serveNode(service, end), store?.run(end)]);
  log.note("agent ended");
}

/** What becomes of each bundle is counted, and tells how the store is. */
const watched = (ship: Ship | undefined, store: StoreHealth | undefined, metrics: AgentMetrics): Ship | undefined =>
  ship &&
  (async (...dump) => {
    const [, , signal] = dump;
    try {
      const bundle = await ship(...dump);
      metrics.stored.inc();
      store?.saw(undefined);
      return bundle;
    } catch (error) {
      if (!signal.aborted) store?.saw(error);
      throw error;
    }
  });
