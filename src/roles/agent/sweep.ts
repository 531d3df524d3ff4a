/** Uploads what waits and ends: a node that is being retired. The agent may be running or not; the records' locks share it out. */
import { KubeRegistry } from "../../cluster/registration/kube-registry.ts";
import { type Next, nodeNameOf, type StepContext } from "../../cluster/steps/context.ts";
import { deliverBy, deliverDump, isDeliveryPending } from "../../cluster/steps/deliver.ts";
import { eventRecorder } from "../../cluster/steps/event-recorder.ts";
import { advanceDump } from "../../cluster/steps/steps.ts";
import type { AgentSettings } from "../../config/cluster-options.ts";
import { reasonOf } from "../../domain/failures.ts";
import { connect } from "../../kube/http.ts";
import { openCache } from "../../node/cache/cache.ts";
import { readRecord } from "../../node/cache/record.ts";
import { explainLater } from "../../node/capture/explaining.ts";
import { pause } from "../../system/backoff.ts";
import { shipTo } from "./store.ts";
import { heldBy, isOpen } from "./upkeep.ts";

interface Swept {
  readonly id: string;
  readonly state: string;
  /** Why it is still here; undefined when nothing is left to do. */
  readonly waits: string | undefined;
}

const PAUSE_MS = 1000;

/** @param each gets every dump as it comes to its end, or at the end of the time as what it waits for */
export async function sweep(
  settings: AgentSettings,
  waitMs: number,
  each: (swept: Swept) => void,
  signal: AbortSignal,
): Promise<void> {
  const cache = openCache(settings.dumpDir, { explain: explainLater(settings.crash) });
  const ended = new AbortController();
  const sealing = cache.finishAbandoned({ signal: AbortSignal.any([signal, ended.signal]) }).catch(() => []); // beside the others
  const http = await connect(settings.kubeconfig);
  const context: StepContext = {
    settings,
    node: nodeNameOf(settings),
    registry: new KubeRegistry(http),
    ship: shipTo(settings),
    deliver: deliverBy(settings),
    events: eventRecorder(http, nodeNameOf(settings), () => undefined),
    heldBy: (namespace) => heldBy(cache.spool, namespace),
    now: () => new Date(),
  };
  const left = new Map(cache.records().flatMap((record) => (isOpen(record) ? [[record.id, "waits"]] : [])));
  const end = performance.now() + waitMs;
  while (left.size > 0 && !signal.aborted) {
    for (const id of left.keys()) {
      const entry = cache.spool.entry(id);
      const why = await advanceDump({ ...context, entry, mayShip: true, signal }).then(reasonFor, reasonOf);
      if (isDeliveryPending(readRecord(entry)))
        await deliverDump({ ...context, entry, mayShip: true, signal }).catch(reasonOf);
      if (why !== undefined) left.set(id, why);
      else {
        left.delete(id);
        each({ id, state: readRecord(entry)?.state ?? "gone", waits: undefined });
      }
    }
    if (performance.now() >= end) break;
    if (left.size > 0) await pause(PAUSE_MS, signal);
  }
  ended.abort();
  await sealing;
  for (const [id, waits] of left) each({ id, state: readRecord(cache.spool.entry(id))?.state ?? "gone", waits });
}

/** In words; undefined where it is over. */
function reasonFor(next: Next): string | undefined {
  if (next === "done") return undefined;
  if (next === "busy") return "another process is working on it";
  return next === "waiting" ? "waits for the quota's decision" : "its owner is not known, or there is no store";
}
