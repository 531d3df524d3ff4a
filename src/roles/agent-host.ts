/** The agent on a real node: its connections, its log, its end. */
import { hostname } from "node:os";
import type { AgentSettings } from "../config/options.ts";
import { reasonOf } from "../domain/failures.ts";
import { connect } from "../kube/http.ts";
import { KubeRegistry } from "../registration/kube-registry.ts";
import { type Diary, runAgent } from "./agent.ts";
import { announcer } from "./agent-announce.ts";
import { shipTo } from "./agent-store.ts";

/** Runs until the signal. @throws DumpError when it cannot even begin */
export async function agentOnHost(settings: AgentSettings, signal: AbortSignal): Promise<void> {
  const { pino } = await import("pino");
  const log = pino(
    { base: null, level: settings.verbosity > 0 ? "debug" : "info" },
    pino.destination({ fd: 2, sync: true }),
  );
  const http = await connect(settings.kubeconfig);
  const node = settings.nodeName ?? hostname();
  const diary: Diary = {
    advanced: (dump, next) => log.debug({ dump, next }, "advanced"),
    failed: (dump, error, againMs) =>
      log.warn(
        { dump, again: `${Math.round(againMs / 1000)}s`, code: (error as { code?: string }).code },
        reasonOf(error),
      ),
    problem: (what, error) => log.warn({ what, code: (error as { code?: string }).code }, reasonOf(error)),
  };
  const world = {
    ...{ settings, node, diary },
    registry: new KubeRegistry(http),
    ship: shipTo(settings),
    announce: announcer(http, (error) => diary.problem("event", error)),
  };
  log.info({ node, dumps: settings.dumpDir, store: settings.store ?? null }, "agent started");
  await runAgent(world, signal);
  log.info("agent ended");
}
