/** What the handler does with a dump that is finished: an agent takes it over, or the handler itself tells the cluster. */

import { CLUSTER_OPTIONS } from "../../config/cluster-options.ts";
import type { HandlerSettings } from "../../config/options.ts";
import { valuesOf } from "../../config/values.ts";
import { reasonOf } from "../../domain/failures.ts";
import { Spool } from "../../node/cache/spool.ts";
import { backoffMs, pause } from "../../system/backoff.ts";
import { logLine } from "../../system/log.ts";
import { type Next, nodeNameOf, type StepContext } from "./context.ts";
import { tellAgent } from "./socket.ts";

/** Nothing waits for the handler any more; but it is a process for each crash, so it does not try for ever. */
const TRY_MS = 60_000;

/** @returns who has it now; `nobody`: the next agent or handler to come finds it in the cache */
export async function handOver(id: string, settings: HandlerSettings): Promise<"agent" | "cluster" | "nobody"> {
  if (await tellAgent(settings.dumpDir, id)) return "agent";
  if (settings.kubeconfig === undefined) return "nobody";
  return (await registerAlone(id, settings)) ? "cluster" : "nobody";
}

async function registerAlone(id: string, settings: HandlerSettings): Promise<boolean> {
  const signal = AbortSignal.timeout(TRY_MS);
  for (let failures = 0; !signal.aborted; ) {
    try {
      const next = await step(id, settings, signal);
      if (next === "waiting" || next === "done" || next === "hold") return next !== "hold";
    } catch (error) {
      logLine(settings.logDir, "warn", `dump ${id} is not registered: ${reasonOf(error)}`);
    }
    await pause(backoffMs(failures++), signal);
  }
  return false;
}

/** All that it takes is loaded here: the process is long released. */
async function step(id: string, settings: HandlerSettings, signal: AbortSignal): Promise<Next> {
  const { connect } = await import("../../kube/http.ts");
  const { KubeRegistry } = await import("../registration/kube-registry.ts");
  const { eventRecorder } = await import("./event-recorder.ts");
  const { advanceDump } = await import("./steps.ts");
  const http = await connect(settings.kubeconfig);
  const spool = Spool.open(settings.dumpDir);
  const cluster = valuesOf(
    CLUSTER_OPTIONS,
    () => undefined,
    () => undefined,
  );
  const context: StepContext = {
    registry: new KubeRegistry(http),
    settings: { ...settings, ...cluster },
    node: nodeNameOf(settings),
    ship: undefined,
    deliver: undefined,
    events: eventRecorder(http, nodeNameOf(settings), (problem) => {
      if (problem !== undefined) logLine(settings.logDir, "warn", `no event for dump ${id}: ${reasonOf(problem)}`);
    }),
    heldBy: () => 0n, // the cap of a namespace is the agent's
    now: () => new Date(),
  };
  return await advanceDump({ ...context, entry: spool.entry(id), mayShip: false, signal });
}
