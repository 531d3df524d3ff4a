/** Every node's agent, as its Lease says: no port of a node need be reached. */

import { statusIn } from "../../cluster/policy/agent-status.ts";
import { AGENT_LEASE } from "../../cluster/policy/node-label.ts";
import { RETIRE } from "../../cluster/policy/retirement.ts";
import { formatDuration } from "../../domain/units.ts";
import { type Lease, leasesPath } from "../../kube/lease.ts";
import { ok, problem, type Step, warning } from "../../node/install/step.ts";
import { skewed } from "./api.ts";
import type { CheckContext, ClockSkew } from "./checked.ts";
import { renewedMs } from "./parts.ts";

/** An agent renews every ten seconds. */
const SILENT_MS = 60_000;
const OLD_MS = 3600_000;
/** Whole seconds of the API server's, and the way there. */
const SLACK_MS = 2000;

export async function checkNodes({ http, namespace, signal }: CheckContext, clock: ClockSkew): Promise<Step[]> {
  const path = leasesPath(namespace);
  const { items } = await http.json<{ items: readonly Lease[] }>({ verb: "list", resource: "leases", path, signal });
  const leases = items.filter(({ metadata: { name } }) => name.startsWith(AGENT_LEASE));
  if (leases.length === 0)
    return [
      problem("nodes", "no agent has ever said that it serves a node", `kubectl -n ${namespace} get daemonset,pods`),
    ];
  return leases.flatMap((lease) => ofNode(lease, namespace, Date.now() + clock.aheadMs));
}

/** @param nowMs  by the API server's clock */
export function ofNode(lease: Lease, namespace: string, nowMs: number): Step[] {
  const { name, annotations } = lease.metadata;
  const node = name.slice(AGENT_LEASE.length);
  const what = `node ${node}`;
  const logs = `kubectl -n ${namespace} logs -l app.kubernetes.io/name=coredump-agent --field-selector spec.nodeName=${node}`;
  if (annotations?.[RETIRE] !== undefined) return [warning(what, "retired: no crash is captured there")];
  const [renewed, silentMs] = [renewedMs(lease), nowMs - renewedMs(lease)];
  if (silentMs > SILENT_MS)
    return [
      problem(
        what,
        `its agent has said nothing for ${formatDuration(silentMs)}`,
        `kubectl -n ${namespace} get pods -o wide`,
      ),
    ];
  const skew = Date.parse(lease.spec?.renewTime ?? "") - renewed;
  const clock = Math.abs(skew) > SLACK_MS ? skewed(what, "its clock", skew) : undefined;
  const status = statusIn(annotations);
  if (!status)
    return [warning(what, "its agent is of a version that says nothing of itself"), ...(clock ? [clock] : [])];
  const { problems, store, waiting, oldest } = status;
  const steps = problems.map((each) => problem(what, each, logs));
  if (store?.isUp === false && !problems.includes(store.why ?? ""))
    steps.push(
      problem(
        what,
        `${store.volume}, since ${store.since}: ${store.why ?? "it does not let the node in"}`,
        store.hint ?? logs,
      ),
    );
  const ageMs = oldest === undefined ? 0 : Math.max(0, nowMs - Date.parse(oldest));
  const queue = waiting === 0 ? "nothing waits" : `${waiting} dumps wait, the oldest for ${formatDuration(ageMs)}`;
  if (ageMs > OLD_MS) steps.push(warning(what, queue, "kubectl coredump list -A says in which state they are"));
  if (clock) steps.push(clock);
  return steps.length > 0 ? steps : [ok(what, `its agent is at work, ${queue}`)];
}
