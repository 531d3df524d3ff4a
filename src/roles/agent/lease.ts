/** The node's Lease: renewed while its agent is well. From it the controller labels the node; no agent may write a node. */

import { AGENT_LEASE } from "../../cluster/policy/node-label.ts";
import { RETIRED } from "../../cluster/policy/retirement.ts";
import { isCode } from "../../domain/failures.ts";
import { ifThere } from "../../kube/failures.ts";
import type { KubeHttp } from "../../kube/http.ts";
import { type Lease, leasePath, leasesPath } from "../../kube/lease.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { pause } from "../../system/backoff.ts";
import { daemonSetPath } from "./removal.ts";

/** Gets the Lease's annotations at each renewal; what it answers is added to them. */
type OnRenewal = (annotations: Readonly<Record<string, string>> | undefined) => Readonly<Record<string, string>>;

interface LeasePlace {
  readonly namespace: string;
  readonly node: string;
  /** Owns the Lease, so that Kubernetes removes the one with the other. */
  daemonset?: string | undefined;
}

const DURATION_S = 40;
const RENEW_MS = 10_000;

/**
 * Runs until the signal; then the Lease says that it has no holder, so that no pod that needs the label comes here.
 * @param onProblem gets what went wrong, and undefined when it is well
 */
export async function keepLease(
  http: KubeHttp,
  place: LeasePlace,
  isWell: () => boolean,
  onProblem: (problem: unknown) => void,
  signal: AbortSignal,
  onRenewal: OnRenewal = () => ({}),
): Promise<void> {
  const where = { ...place };
  for (; !signal.aborted; await pause(RENEW_MS, signal)) {
    if (!isWell()) continue;
    try {
      const lease = await read(http, where, signal);
      const isRetired = lease ? await renew(http, where, lease, DURATION_S, onRenewal, signal) : false;
      if (!lease) await create(http, where, onRenewal, signal);
      onProblem(undefined);
      if (isRetired) return; // the one who ordered it takes the Lease away, and it must stay away
    } catch (error) {
      if (!signal.aborted) onProblem(error);
    }
  }
  const moment = AbortSignal.timeout(2000);
  const last = await read(http, where, moment).catch(onProblem);
  if (last) await renew(http, where, last, 1, onRenewal, moment).catch(onProblem);
}

const pathOf = ({ namespace, node }: LeasePlace): string => leasePath(namespace, `${AGENT_LEASE}${node}`);

const read = (http: KubeHttp, where: LeasePlace, signal: AbortSignal): Promise<Lease | undefined> =>
  ifThere(http.json<Lease>({ verb: "get", resource: "leases", path: pathOf(where), signal }));

const specOf = (node: string, leaseDurationSeconds: number) => ({
  holderIdentity: node,
  leaseDurationSeconds,
  renewTime: new Date().toISOString().replace("Z", "000Z"), // MicroTime wants six digits
});

/** @returns whether this node's service has ended */
async function renew(
  http: KubeHttp,
  where: LeasePlace,
  lease: Lease,
  leaseDurationSeconds: number,
  onRenewal: OnRenewal,
  signal: AbortSignal,
): Promise<boolean> {
  const annotations = { ...lease.metadata.annotations, ...onRenewal(lease.metadata.annotations) };
  const spec = { ...lease.spec, ...specOf(where.node, leaseDurationSeconds) };
  const { ownerReferences = [] } = lease.metadata;
  const owners = ownerReferences.length > 0 ? ownerReferences : await ownersOf(http, where, signal);
  await owned(where, owners, (ownerReferences) => {
    const body = { ...lease, metadata: { ...lease.metadata, annotations, ownerReferences }, spec };
    return http.json({ verb: "update", resource: "leases", path: pathOf(where), body, signal });
  });
  return annotations[RETIRED] !== undefined;
}

async function create(http: KubeHttp, where: LeasePlace, onRenewal: OnRenewal, signal: AbortSignal): Promise<void> {
  const { namespace, node, daemonset } = where;
  const annotations = onRenewal(undefined);
  const owners = await ownersOf(http, where, signal);
  if (daemonset !== undefined && owners.length === 0) return; // all agents are being removed
  await owned(where, owners, (ownerReferences) => {
    const metadata = { name: `${AGENT_LEASE}${node}`, namespace, annotations, ownerReferences };
    const body = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec: specOf(node, DURATION_S) };
    return http.json({ verb: "create", resource: "leases", path: leasesPath(namespace), body, signal });
  });
}

type Owners = NonNullable<KubeObject["metadata"]["ownerReferences"]>;

async function ownersOf(http: KubeHttp, { namespace, daemonset }: LeasePlace, signal: AbortSignal): Promise<Owners> {
  if (daemonset === undefined) return [];
  const path = daemonSetPath(namespace, daemonset);
  const found = await ifThere(http.json<KubeObject>({ verb: "get", resource: "daemonsets", path, signal }));
  return found ? [{ apiVersion: "apps/v1", kind: "DaemonSet", name: daemonset, uid: found.metadata.uid }] : [];
}

/** The plugin OwnerReferencesPermissionEnforcement (OpenShift) lets only those who may delete an object give it an owner. */
async function owned(where: LeasePlace, owners: Owners, write: (owners: Owners) => Promise<unknown>): Promise<void> {
  try {
    await write(owners);
  } catch (error) {
    if (owners.length === 0 || !isCode(error, "API_DENIED")) throw error;
    where.daemonset = undefined; // asked once
    await write([]);
  }
}
