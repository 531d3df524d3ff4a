/**
 * Whether SIGTERM means the end of all agents, or of this pod alone: the DaemonSet says so. It needs no order, so nothing that
 * an earlier removal left can retire a node, and it holds up what deletes the DaemonSet: helm, kubectl, the namespace's end.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { AGENT_LEASE } from "../../cluster/policy/node-label.ts";
import type { AgentSettings } from "../../config/cluster-options.ts";
import { isCode } from "../../domain/failures.ts";
import type { KubeHttp } from "../../kube/http.ts";
import { leasePath } from "../../kube/lease.ts";
import { type KubeObject, member } from "../../kube/objects.ts";

/** An API server that is away says nothing, and in doubt the node stays as it is. */
const LOOK_MS = 5000;
/** A pod that is deleted by force loses its token at once, and its process a second later; an API server that starts may refuse. */
const AGAIN_MS = 3000;

export const daemonSetPath = (namespace: string, name: string): string =>
  member("apps/v1", "daemonsets", name, namespace);

/**
 * Never throws. Helm takes the agents' rights away in the same second as the DaemonSet, so an agent often cannot ask any more:
 * an account that may not even read its own Lease was removed too.
 */
export async function isRemoved(
  http: KubeHttp,
  settings: Pick<AgentSettings, "systemNamespace" | "daemonset">,
  node: string,
  againMs = AGAIN_MS,
): Promise<boolean> {
  const { systemNamespace: namespace, daemonset } = settings;
  if (daemonset === undefined) return false;
  const first = await look(http, "daemonsets", daemonSetPath(namespace, daemonset));
  if (first !== "denied") return first === "gone";
  await sleep(againMs);
  return (await look(http, "leases", leasePath(namespace, `${AGENT_LEASE}${node}`))) === "denied";
}

async function look(http: KubeHttp, resource: string, path: string): Promise<"there" | "gone" | "denied" | "unknown"> {
  try {
    const { metadata } = await http.json<KubeObject>({
      ...{ verb: "get", resource, path },
      signal: AbortSignal.timeout(LOOK_MS),
    });
    return metadata.deletionTimestamp === undefined ? "there" : "gone";
  } catch (error) {
    if (isCode(error, "NOT_FOUND")) return "gone";
    return isCode(error, "API_DENIED") ? "denied" : "unknown";
  }
}

/** @returns aborts after `stop`, as soon as what was left to do is done */
export function endAfter(stop: AbortSignal, last: () => Promise<void>): AbortSignal {
  const end = new AbortController();
  stop.addEventListener("abort", () => void last().finally(() => end.abort()), { once: true });
  return end.signal;
}
