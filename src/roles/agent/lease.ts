/** The node's Lease: renewed while its agent is well. From it the controller labels the node; no agent may write a node. */

import { AGENT_LEASE } from "../../cluster/policy/node-label.ts";
import { RETIRED } from "../../cluster/policy/retirement.ts";
import { isCode } from "../../domain/failures.ts";
import type { KubeHttp } from "../../kube/http.ts";
import { type Lease, leasePath, leasesPath } from "../../kube/lease.ts";
import { pause } from "../../system/backoff.ts";

/** Told of the Lease's annotations at each renewal; what it answers is added to them. */
type Heed = (annotations: Readonly<Record<string, string>> | undefined) => Readonly<Record<string, string>>;

const DURATION_S = 40;
const RENEW_MS = 10_000;

/**
 * Runs until the signal; then it says that nobody holds it, so that no pod that needs the label comes here.
 * @param onProblem gets what went wrong, and undefined when it is well
 */
export async function keepLease(
  http: KubeHttp,
  where: { readonly namespace: string; readonly node: string },
  isWell: () => boolean,
  onProblem: (problem: unknown) => void,
  signal: AbortSignal,
  heed: Heed = () => ({}),
): Promise<void> {
  for (; !signal.aborted; await pause(RENEW_MS, signal)) {
    if (!isWell()) continue;
    try {
      const isRetired = await renew(http, where, DURATION_S, heed, signal);
      onProblem(undefined);
      if (isRetired) return; // whoever ordered it takes the Lease away, and it must stay away
    } catch (error) {
      if (!signal.aborted) onProblem(error);
    }
  }
  await renew(http, where, 1, heed, AbortSignal.timeout(2000)).catch(onProblem);
}

/** @returns whether this node's service has ended */
async function renew(
  http: KubeHttp,
  { namespace, node }: { namespace: string; node: string },
  leaseDurationSeconds: number,
  heed: Heed,
  signal: AbortSignal,
): Promise<boolean> {
  const name = `${AGENT_LEASE}${node}`;
  const path = leasePath(namespace, name);
  const renewTime = new Date().toISOString().replace("Z", "000Z"); // MicroTime wants six digits
  const spec = { holderIdentity: node, leaseDurationSeconds, renewTime };
  try {
    const lease = await http.json<Lease>({ verb: "get", resource: "leases", path, signal });
    const added = heed(lease.metadata.annotations);
    const metadata = { ...lease.metadata, annotations: { ...lease.metadata.annotations, ...added } };
    const body = { ...lease, metadata, spec: { ...lease.spec, ...spec } };
    await http.json({ verb: "update", resource: "leases", path, body, signal });
    return metadata.annotations[RETIRED] !== undefined;
  } catch (error) {
    if (!isCode(error, "NOT_FOUND")) throw error;
    const metadata = { name, namespace, annotations: heed(undefined) };
    const body = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec };
    await http.json({ verb: "create", resource: "leases", path: leasesPath(namespace), body, signal });
    return false;
  }
}
