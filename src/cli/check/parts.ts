/** The parts that run in the cluster: are they there, ready, led. */
import { DumpError, isCode, reasonOf } from "../../domain/failures.ts";
import { ifThere } from "../../kube/failures.ts";
import { type Lease, leasePath } from "../../kube/lease.ts";
import { collection, member } from "../../kube/objects.ts";
import type { Pod } from "../../kube/pods.ts";
import { ok, problem, type Step } from "../../node/install/step.ts";
import type { CheckContext, ClockSkew } from "./checked.ts";

const NAME = "app.kubernetes.io/name";
const HEALTH = 9099;

export async function checkPods(checked: CheckContext): Promise<Step[]> {
  const { http, namespace, signal } = checked;
  const query = { labelSelector: `app.kubernetes.io/part-of=coredump-detector,${NAME}` }; // the pod of helm test has no name
  const path = collection("v1", "pods", namespace);
  const { items } = await http.json<{ items: readonly Pod[] }>({ verb: "list", resource: "pods", path, query, signal });
  const running = items.filter(({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed");
  if (running.length === 0)
    return [
      problem("parts", `no pod of ours is in ${namespace}`, "give the namespace that it is installed in with -n"),
    ];
  const steps: Step[] = [];
  for (const [part, pods] of Map.groupBy(running, ({ metadata }) => metadata.labels?.[NAME] ?? "unknown")) {
    const unready = pods.filter((pod) => !isReady(pod));
    for (const pod of unready) steps.push(await whyNot(checked, part, pod));
    if (unready.length === 0) steps.push(ok(shortName(part), `${pods.length} ready`));
  }
  return steps;
}

const shortName = (part: string): string => part.replace(/^coredump-/, "");
export const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;

/** The container's reason for not starting, else what its `/readyz` says, by the API server's proxy. */
async function whyNot({ http, namespace, signal }: CheckContext, part: string, pod: Pod): Promise<Step> {
  const { name } = pod.metadata;
  const waiting = pod.status?.containerStatuses?.map(({ state }) => state?.["waiting"]).find((each) => each?.reason);
  if (waiting?.reason && waiting.reason !== "ContainerCreating") {
    const words = `${name}: ${waiting.reason}${waiting.message ? `: ${waiting.message}` : ""}`;
    return problem(shortName(part), words, `kubectl -n ${namespace} describe pod ${name}`);
  }
  const ports = pod.spec?.containers?.flatMap(({ ports = [] }) => ports) ?? [];
  const port = ports.find((each) => each.name === "health")?.containerPort ?? HEALTH;
  const path = `${member("v1", "pods", name, namespace)}:${port}/proxy/readyz`;
  const said = await http.answer({ verb: "get", resource: "pods/proxy", path, signal }).then(
    (answer) => {
      answer.resume();
      return "it has only just become ready";
    },
    (error: unknown) => {
      if (isCode(error, "API_DENIED")) return "what it says itself, you may not ask";
      return error instanceof DumpError ? error.message.replace(/^Cannot get pods\/proxy: /, "") : reasonOf(error);
    },
  );
  return problem(shortName(part), `${name} is not ready: ${said.trim()}`, `kubectl -n ${namespace} logs ${name}`);
}

/** Those of whom one at a time works. */
const LED = ["coredump-controller", "coredump-gc"];

export async function checkLeaders({ http, namespace, signal }: CheckContext, { aheadMs }: ClockSkew): Promise<Step[]> {
  const steps: Step[] = [];
  for (const name of LED) {
    const ask = { verb: "get", resource: "leases", path: leasePath(namespace, name), signal } as const;
    const lease = await ifThere(http.json<Lease>(ask));
    if (!lease) continue; // not installed, or not yet: its pods say which
    const { holderIdentity = "", leaseDurationSeconds = 15 } = lease.spec ?? {};
    const idleMs = Date.now() + aheadMs - renewedMs(lease);
    const leader = holderIdentity.split("_")[0];
    if (!leader || idleMs > leaseDurationSeconds * 3000)
      steps.push(
        problem(
          shortName(name),
          "there is no leader: nothing is decided or collected",
          `kubectl -n ${namespace} logs -l ${NAME}=${name}`,
        ),
      );
    else steps.push(ok(shortName(name), `led by ${leader}`));
  }
  return steps;
}

/** When the API server took the last renewal, by its own clock where it says so: the holder's may be wrong. */
export function renewedMs({ metadata, spec }: Lease): number {
  const times =
    metadata.managedFields?.map(({ time }) => Date.parse(time ?? "")).filter((ms) => !Number.isNaN(ms)) ?? [];
  return times.length > 0 ? Math.max(...times) : Date.parse(spec?.renewTime ?? "") || 0;
}
