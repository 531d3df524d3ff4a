/** What the agent does for its node as a whole: its Lease, the handler and the pattern, what the kernel gave up, its end. */

import { type AgentStatus, STATUS, statusText } from "../../cluster/policy/agent-status.ts";
import { tellOfConflict } from "../../cluster/steps/event-recorder.ts";
import type { AgentSettings } from "../../config/cluster-options.ts";
import { NODE_OPTIONS } from "../../config/options.ts";
import { errnoOf } from "../../domain/failures.ts";
import type { KubeHttp } from "../../kube/http.ts";
import type { Cache } from "../../node/cache/cache.ts";
import { mountedHost, thisHost } from "../../node/install/host.ts";
import { pause, repeat } from "../../system/backoff.ts";
import type { AgentLog } from "./agent-log.ts";
import { keepLease } from "./lease.ts";
import { type LostWorld, recordLost, thisKernel } from "./lost.ts";
import { keepPattern, type PatternOrder } from "./pattern.ts";
import type { Retirement } from "./retire.ts";

interface NodeService {
  readonly settings: AgentSettings;
  /** Undefined where an admin installs. */
  readonly order: PatternOrder | undefined;
  readonly retirement: Retirement;
  readonly node: string;
  readonly cache: Cache;
  readonly http: KubeHttp;
  readonly log: AgentLog;
  /** For the Lease. */
  readonly status: () => AgentStatus;
}

/** How long the handler's installation waits for the API server, which may be away. */
const LEASE_MS = 5000;
const KMSG_MS = 10_000;

/** Runs until the signal. Never throws: what fails is reported and tried again. */
export async function serveNode(service: NodeService, signal: AbortSignal): Promise<void> {
  const { settings, order, retirement, node, cache, http, log } = service;
  const leaseRead = Promise.withResolvers<void>();
  const leaseTold = (error: unknown) => {
    log.trouble("lease", error);
    leaseRead.resolve();
  };
  const place = { namespace: settings.systemNamespace, node, daemonset: settings.daemonset };
  const isWell = () => log.alive() === undefined;
  await Promise.all([
    keepLease(http, place, isWell, leaseTold, signal, (annotations) => ({
      [STATUS]: statusText(service.status()),
      ...retirement.onRenewal(annotations),
    })),
    readKernelLog(cache, node, log, signal),
    order &&
      Promise.race([leaseRead.promise, pause(LEASE_MS, signal)]).then(() =>
        // it may say that the node is retired
        keepPattern(order, patternLog(service), AbortSignal.any([signal, retirement.ordered])),
      ),
  ]);
}

/** @param forHandler what goes into its settings.json. @returns undefined when an admin installs */
export function patternOrder(settings: AgentSettings, forHandler: PatternOrder["settings"]): PatternOrder | undefined {
  const { binDir, hostRoot, onConflict } = settings;
  if (binDir === undefined) return undefined;
  const isOurs = (flag: string) => flag !== NODE_OPTIONS.kubeconfig.flag && flag !== NODE_OPTIONS.verbosity.flag;
  return {
    ...{ binDir, onConflict },
    host: hostRoot === undefined ? thisHost() : mountedHost(hostRoot),
    settings: new Map([...forHandler].filter(([flag]) => isOurs(flag))), // those two say how the agent runs
  };
}

const patternLog = ({ log, http, node }: NodeService) => ({
  trouble: (where: "handler" | "pattern", problem: unknown) => log.trouble(where, problem),
  installed: (...steps: Parameters<AgentLog["installed"]>) => log.installed(...steps),
  conflict: (pattern: string) => {
    log.conflict(pattern);
    void tellOfConflict(http, node, pattern, (error) => log.mishap("event", error));
  },
});

/** Not to be had here, which is the site's choice: the device, and CAP_SYSLOG or the system call. */
const UNREADABLE: ReadonlySet<string | undefined> = new Set(["ENOENT", "EPERM", "EACCES", "ENOSYS"]);

/** What the kernel gave up. @param open  injected: the kernel's log */
export async function readKernelLog(
  cache: Cache,
  node: string,
  log: Pick<AgentLog, "advanced" | "trouble" | "readsKernelLog">,
  signal: AbortSignal,
  { open = thisKernel, lookMs = KMSG_MS }: { readonly open?: () => LostWorld; readonly lookMs?: number } = {},
): Promise<void> {
  let kernel: LostWorld | undefined;
  const read = async () => {
    kernel ??= open();
    log.readsKernelLog(undefined);
    for (const id of await recordLost(cache.spool, node, kernel)) log.advanced(id, "done");
  };
  const onProblem = (problem: unknown) => {
    if (problem !== undefined && kernel === undefined && UNREADABLE.has(errnoOf(problem)))
      return log.readsKernelLog(errnoOf(problem));
    log.trouble("kernel log", problem);
    if (problem === undefined) return;
    kernel?.[Symbol.dispose]();
    kernel = undefined; // what was read and not recorded is read again
  };
  await repeat(read, lookMs, onProblem, signal);
}
