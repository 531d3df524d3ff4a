/**
 * Ends the service of all nodes, before the whole system is removed: orders every agent to give its node back, waits until
 * they said so, and takes their Leases away, upon which the controller takes the label off the nodes.
 */

import { AGENT_LEASE, LABELLED_BY } from "../cluster/policy/node-label.ts";
import { RETIRE, RETIRED } from "../cluster/policy/retirement.ts";
import { ifThere } from "../kube/failures.ts";
import { type KubeHttp, MERGE_PATCH } from "../kube/http.ts";
import { type Lease, leasePath, leasesPath } from "../kube/lease.ts";
import { collection, type KubeObject, member } from "../kube/objects.ts";
import { pause } from "../system/backoff.ts";

export interface RetireReport {
  readonly node: string;
  /** What its agent said; undefined when it did not answer. */
  readonly said: string | undefined;
  /** When its agent was last heard of. */
  readonly lastSeen: string | undefined;
}

const LOOK_MS = 1000;
/** After the uploads' end: an agent looks at its Lease every ten seconds, and restoring takes moments. */
const ANSWER_MS = 30_000;
const LABELS_MS = 20_000;

/**
 * @param uploadMs how long what waits on the nodes may go on being uploaded
 * @returns a line for each node that had an agent, and the nodes that are still labelled
 */
export async function retireNodes(
  http: KubeHttp,
  namespace: string,
  uploadMs: number,
  signal: AbortSignal,
): Promise<{ readonly reports: readonly RetireReport[]; readonly labelled: readonly string[] }> {
  const until = new Date(Date.now() + uploadMs).toISOString();
  for (const lease of await agentLeases(http, namespace, signal)) await order(http, lease, until, signal);
  const leases = await answers(http, namespace, AbortSignal.any([signal, AbortSignal.timeout(uploadMs + ANSWER_MS)]));
  for (const lease of leases) await remove(http, lease, signal);
  return { reports: leases.map(reportOf), labelled: await stillLabelled(http, signal) };
}

const reportOf = ({ metadata: { name, annotations }, spec }: Lease): RetireReport => ({
  node: name.slice(AGENT_LEASE.length),
  said: annotations?.[RETIRED],
  lastSeen: spec?.renewTime,
});

async function agentLeases(http: KubeHttp, namespace: string, signal: AbortSignal): Promise<Lease[]> {
  const path = leasesPath(namespace);
  const { items } = await http.json<{ items: Lease[] }>({ verb: "list", resource: "leases", path, signal });
  return items.filter(({ metadata: { name } }) => name.startsWith(AGENT_LEASE));
}

const request = ({ metadata: { name, namespace = "" } }: Lease, signal: AbortSignal) => ({
  resource: "leases",
  path: leasePath(namespace, name),
  signal,
});

async function order(http: KubeHttp, lease: Lease, until: string, signal: AbortSignal): Promise<void> {
  const body = { metadata: { annotations: { [RETIRE]: until, [RETIRED]: null } } };
  await http.json({ verb: "patch", ...request(lease, signal), body, contentType: MERGE_PATCH });
}

/** The Leases as they are when all agents have answered, or when the time is over. */
async function answers(http: KubeHttp, namespace: string, over: AbortSignal): Promise<Lease[]> {
  for (let last: Lease[] = []; ; ) {
    try {
      last = await agentLeases(http, namespace, over);
    } catch (error) {
      if (!over.aborted) throw error;
    }
    if (over.aborted || last.every(({ metadata }) => metadata.annotations?.[RETIRED] !== undefined)) return last;
    await pause(LOOK_MS, over);
  }
}

async function remove(http: KubeHttp, lease: Lease, signal: AbortSignal): Promise<void> {
  await ifThere(http.json({ verb: "delete", ...request(lease, signal) }));
}

/** @param name of a pod, which need not be there */
export async function removePod(http: KubeHttp, namespace: string, name: string, signal: AbortSignal): Promise<void> {
  await ifThere(http.json({ verb: "delete", resource: "pods", path: member("v1", "pods", name, namespace), signal }));
}

/** The controller needs a moment; where there is none, nothing has been labelled. */
async function stillLabelled(http: KubeHttp, signal: AbortSignal): Promise<string[]> {
  const over = AbortSignal.any([signal, AbortSignal.timeout(LABELS_MS)]);
  const path = collection("v1", "nodes");
  for (;;) {
    const { items } = await http.json<{ items: KubeObject[] }>({ verb: "list", resource: "nodes", path, signal });
    const labelled = items.filter(({ metadata: { annotations } }) => annotations?.[LABELLED_BY] !== undefined);
    if (labelled.length === 0 || over.aborted) return labelled.map(({ metadata }) => metadata.name);
    await pause(LOOK_MS, over);
  }
}
