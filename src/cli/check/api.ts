/** The API server, what it serves for us, and what it asks us. */

import { ifThere } from "../../kube/failures.ts";
import { COREDUMP_API, type Conditioned, collection, type KubeObject, member } from "../../kube/objects.ts";
import { ok, problem, type Step, warning } from "../../node/install/step.ts";
import type { CheckContext, ClockSkew } from "./checked.ts";

const GROUP = COREDUMP_API.split("/")[0] ?? "";
const SERVICE = `v1alpha1.${GROUP}`;
const WEBHOOK = "coredump-webhook";
/** Tokens and certificates are refused from about so much on. */
const SKEW_MS = 60_000;
const SLIGHT_MS = 5_000;

/** @param clock  gets the difference of the clocks */
export async function checkApi(
  { http, signal }: CheckContext,
  clock: { -readonly [K in keyof ClockSkew]: ClockSkew[K] },
): Promise<Step[]> {
  const answer = await http.answer({ verb: "get", resource: "version", path: "/version", signal });
  answer.resume();
  const serverMs = Date.parse(answer.headers.date ?? "");
  clock.aheadMs = Number.isNaN(serverMs) ? 0 : serverMs - Date.now();
  const reached = ok("api", "the API server answers");
  const skew = skewed("clock", "this machine's clock", -clock.aheadMs);
  return skew ? [reached, skew] : [reached];
}

/** @param aheadMs  of the API server's. The server's has whole seconds. */
export function skewed(what: string, whose: string, aheadMs: number): Step | undefined {
  if (Math.abs(aheadMs) < SLIGHT_MS) return undefined;
  const seconds = `${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? "ahead of" : "behind"}`;
  const level = Math.abs(aheadMs) < SKEW_MS ? warning : problem;
  return level(what, `${whose} is ${seconds} the API server's`, "set the clocks (NTP)");
}

export async function checkDefinitions({ http, signal }: CheckContext): Promise<Step[]> {
  const steps = [];
  for (const plural of ["coredumps", "coredumpquotas"]) {
    const [resource, name] = ["customresourcedefinitions", `${plural}.${GROUP}`];
    const path = member("apiextensions.k8s.io/v1", resource, name);
    const crd = await ifThere(http.json<Conditioned>({ verb: "get", resource, path, signal }));
    const why = !crd ? "is missing" : crd.metadata.deletionTimestamp ? "is being deleted" : notYet(crd, "Established");
    if (why !== undefined)
      steps.push(problem("crds", `${name} ${why}`, "kubectl apply -f install/crd; with helm: helm upgrade"));
  }
  return steps.length > 0 ? steps : [ok("crds", `coredumps, coredumpquotas of ${GROUP} are established`)];
}

function notYet({ status }: Conditioned, type: string): string | undefined {
  const condition = status?.conditions?.find((each) => each.type === type);
  if (condition?.status === "True") return undefined;
  return `is not ${type.toLowerCase()}${condition?.message ? `: ${condition.message}` : ""}`;
}

export async function checkService({ http, namespace, signal }: CheckContext): Promise<Step[]> {
  const path = member("apiregistration.k8s.io/v1", "apiservices", SERVICE);
  const service = await ifThere(http.json<Conditioned>({ verb: "get", resource: "apiservices", path, signal }));
  const pods = `kubectl -n ${namespace} get pods -l app.kubernetes.io/name=coredump-api`;
  if (service) {
    const why = notYet(service, "Available");
    if (why === undefined) return [ok("apiservice", `${SERVICE} is available`)];
    return [problem("apiservice", `${SERVICE} ${why}`, `no namespace's deletion ends meanwhile; see ${pods}`)];
  }
  const kept = member("v1", "configmaps", "coredump-apiservice", namespace);
  const map = await ifThere(
    http.json<{ data?: Readonly<Record<string, string>> }>({ verb: "get", resource: "configmaps", path: kept, signal }),
  );
  if (map?.data?.["apiservice.json"])
    return [problem("apiservice", `${SERVICE} was taken away, because its server is down`, `see ${pods}`)];
  return [warning("apiservice", `${SERVICE} is not installed: dumps cannot be downloaded`)];
}

interface Webhooks extends KubeObject {
  readonly webhooks?: readonly { readonly clientConfig: { readonly caBundle?: string } }[];
}

export async function checkWebhook({ http, namespace, signal }: CheckContext): Promise<Step[]> {
  const resource = "mutatingwebhookconfigurations";
  const path = member("admissionregistration.k8s.io/v1", resource, WEBHOOK);
  const configuration = await ifThere(http.json<Webhooks>({ verb: "get", resource, path, signal }));
  if (!configuration) return [warning("webhook", "not installed: no pod gets a claim's volume for its cores")];
  const isTrusted = (configuration.webhooks ?? []).every(({ clientConfig }) => (clientConfig.caBundle ?? "") !== "");
  if (!isTrusted)
    return [
      problem("webhook", `${WEBHOOK} names no authority: the API server trusts no answer`, "see the webhook's log"),
    ];
  const slices = await http.json<{ items: readonly { endpoints?: readonly { conditions?: { ready?: boolean } }[] }[] }>(
    {
      ...{ verb: "list", resource: "endpointslices", signal },
      path: collection("discovery.k8s.io/v1", "endpointslices", namespace),
      query: { labelSelector: `kubernetes.io/service-name=${WEBHOOK}` },
    },
  );
  const ready = slices.items.flatMap(({ endpoints = [] }) =>
    endpoints.filter((each) => each.conditions?.ready !== false),
  );
  if (ready.length > 0) return [ok("webhook", `${ready.length} ready`)];
  const pods = `kubectl -n ${namespace} get pods -l app.kubernetes.io/name=${WEBHOOK}`;
  return [problem("webhook", "no server of it is ready: pods start without their claim's volume", `see ${pods}`)];
}
