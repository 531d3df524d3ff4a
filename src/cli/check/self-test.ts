/** `check --self-test`: a pod crashes on a node, and its Coredump must come. Pod and Coredump are removed again. */
import { randomUUID } from "node:crypto";
import { statusIn } from "../../cluster/policy/agent-status.ts";
import { AGENT_LEASE } from "../../cluster/policy/node-label.ts";
import { DumpError, reasonOf } from "../../domain/failures.ts";
import type { State } from "../../domain/states.ts";
import { formatDuration } from "../../domain/units.ts";
import { coredumpAt } from "../../kube/coredump.ts";
import { ifThere } from "../../kube/failures.ts";
import { type Lease, leasePath } from "../../kube/lease.ts";
import { collection, type KubeObject, member } from "../../kube/objects.ts";
import { type Pod, removePod, troubleOf } from "../../kube/pods.ts";
import { ok, problem, type Step, warning } from "../../node/install/step.ts";
import type { CheckContext } from "./checked.ts";
import { awaitDump } from "./crash-test.ts";
import { isReady } from "./parts.ts";

const WHAT = "self-test";
/** Should we be killed before we remove it. */
const DEADLINE_S = 300;
const NOBODY = 65532;

/**
 * On that node, or on any whose agent is ready. The image is the agent's own, which is on its node already.
 * @param checked  its signal ends the patience
 */
export async function selfTest(checked: CheckContext, node: string | undefined): Promise<Step[]> {
  try {
    const agent = await agentOn(checked, node);
    if (agent) return await crashBeside(checked, agent);
    const where = `in ${checked.namespace}${node === undefined ? "" : ` on node ${node}`}`;
    const hint =
      "the test uses the image of the node's agent; without agents in pods: coredump-detector doctor --self-test, on the node";
    return [problem(WHAT, `no pod of an agent is ${where}`, hint)];
  } catch (error) {
    return [problem(WHAT, reasonOf(error), error instanceof DumpError ? error.hint : undefined)];
  }
}

async function agentOn({ http, namespace, signal }: CheckContext, node: string | undefined): Promise<Pod | undefined> {
  const query = { labelSelector: "app.kubernetes.io/name=coredump-agent" };
  const path = collection("v1", "pods", namespace);
  const { items } = await http.json<{ items: readonly Pod[] }>({ verb: "list", resource: "pods", path, query, signal });
  const there = items.filter(({ spec }) => spec?.nodeName !== undefined && (node ?? spec.nodeName) === spec.nodeName);
  return there.find(isReady) ?? there[0];
}

async function crashBeside(checked: CheckContext, agent: Pod): Promise<Step[]> {
  const { http, namespace, signal } = checked;
  const node = agent.spec?.nodeName ?? "";
  const until = await endOn(checked, node);
  const [path, body] = [collection("v1", "pods", namespace), podBeside(agent)];
  const pod = await http.json<Pod>({ verb: "create", resource: "pods", path, body, signal });
  const steps: Step[] = [];
  const { name } = pod.metadata;
  const startMs = performance.now();
  try {
    const crashed = { namespace, pod: name, node, until, hopeless: () => troubleWith(http, pod) };
    const dump = await awaitDump(http, crashed, signal);
    const took = formatDuration(Math.round(performance.now() - startMs));
    steps.push(
      ok(WHAT, `a crash on node ${node} became a Coredump, ${dump.status?.state} ${took} after its pod was made`),
    );
    steps.push(...(await removed(`coredump ${dump.metadata.name}`, namespace, removeDump(http, dump))));
  } catch (error) {
    steps.push(problem(WHAT, reasonOf(error), error instanceof DumpError ? error.hint : undefined));
  }
  return [...steps, ...(await removed(`pod ${name}`, namespace, removePod(http, pod)))];
}

/** Where the node has a store, a dump is to get there. */
async function endOn({ http, namespace, signal }: CheckContext, node: string): Promise<State> {
  const path = leasePath(namespace, `${AGENT_LEASE}${node}`);
  const lease = await ifThere(http.json<Lease>({ verb: "get", resource: "leases", path, signal }));
  return statusIn(lease?.metadata.annotations)?.store ? "Saved" : "Allowed";
}

/** By the node's name: no scheduler and no cordon stands between it and the node that is asked for. */
const podBeside = ({ metadata: { namespace }, spec = {} }: Pod) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: `coredump-self-test-${randomUUID().slice(0, 8)}`,
    namespace,
    labels: { "app.kubernetes.io/managed-by": "kubectl-coredump" },
  },
  spec: {
    nodeName: spec.nodeName,
    restartPolicy: "Never",
    activeDeadlineSeconds: DEADLINE_S,
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    tolerations: [{ operator: "Exists" }],
    imagePullSecrets: spec.imagePullSecrets ?? [],
    securityContext: { runAsNonRoot: true, runAsUser: NOBODY, seccompProfile: { type: "RuntimeDefault" } },
    containers: [
      {
        name: "crash",
        image: spec.containers?.[0]?.image,
        imagePullPolicy: spec.containers?.[0]?.imagePullPolicy,
        args: ["crash-test", "--only-crash"],
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
      },
    ],
  },
});

async function troubleWith(
  http: CheckContext["http"],
  { metadata: { name, namespace } }: Pod,
): Promise<string | undefined> {
  const path = member("v1", "pods", name, namespace);
  const pod = await ifThere(http.json<Pod>({ verb: "get", resource: "pods", path }));
  const trouble = pod ? troubleOf(pod) : "it was deleted";
  return trouble === undefined ? undefined : `the pod did not get to its crash: ${trouble}`;
}

async function removeDump(
  http: CheckContext["http"],
  { metadata: { name, namespace, uid } }: KubeObject,
): Promise<void> {
  const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions: { uid } };
  const path = coredumpAt(namespace ?? "", name);
  await ifThere(http.json({ verb: "delete", resource: "coredumps", path, body }));
}

const removed = (what: string, namespace: string, removal: Promise<void>): Promise<Step[]> =>
  removal.then(
    () => [],
    (error) => [warning(WHAT, `${what} was left there: ${reasonOf(error)}`, `kubectl -n ${namespace} delete ${what}`)],
  );
