/**
 * Takes the aggregated API out of the cluster while its server is down, and puts it back when the server answers: as long as
 * an APIService is registered and unavailable, no namespace's deletion comes to its end, since it is not known what the API
 * would have in it. What was taken away waits in a ConfigMap, so whichever controller leads then can put it back.
 */

import { request } from "node:https";
import { performance } from "node:perf_hooks";
import { ifThere } from "../../kube/failures.ts";
import { type KubeHttp, MERGE_PATCH } from "../../kube/http.ts";
import { collection, type KubeObject, member } from "../../kube/objects.ts";
import { repeat } from "../../system/backoff.ts";

export const API_SERVICE = "v1alpha1.coredump.fujitsu.com";
/** It is part of the installation, so that nothing is left over when that goes. */
const KEPT_IN = "coredump-apiservice";
const KEY = "apiservice.json";

const API = "apiregistration.k8s.io/v1";
const LOOK_MS = 5000;
const ANSWER_MS = 3000;

interface ApiService extends KubeObject {
  readonly spec: {
    readonly service?: { readonly namespace: string; readonly name: string };
    readonly caBundle?: string;
    readonly insecureSkipTLSVerify?: boolean;
  };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

interface EndpointSlice extends KubeObject {
  readonly ports?: readonly { readonly port?: number }[];
  readonly endpoints?: readonly {
    readonly addresses: readonly string[];
    readonly conditions?: { readonly ready?: boolean };
  }[];
}

interface Watchdog {
  readonly http: KubeHttp;
  /** Of our own parts. */
  readonly namespace: string;
  /** How long it may be unavailable: a restart is not an outage. */
  readonly graceMs: number;
  /** @param isThere whether it was put back, or taken away */
  readonly onChange: (isThere: boolean) => void;
  readonly onProblem: (problem: unknown) => void;
  /** What is as it is, in words; undefined: nothing is to be said. */
  readonly onState: (words: string | undefined) => void;
}

/** Runs until the signal. Never throws: what fails is reported and tried again. */
export async function watchApiService(watchdog: Watchdog, signal: AbortSignal, lookMs = LOOK_MS): Promise<void> {
  let downSinceMs: number | undefined;
  const look = async () => {
    const found = await registered(watchdog, signal);
    const service = found?.spec.service?.namespace === watchdog.namespace ? found : undefined;
    watchdog.onState(found && !service ? `${API_SERVICE} is not this installation's: not watched over` : undefined);
    if (!found) await putBack(watchdog, signal);
    downSinceMs = service && isDown(service) ? (downSinceMs ?? performance.now()) : undefined;
    if (service && downSinceMs !== undefined && performance.now() - downSinceMs >= watchdog.graceMs)
      await takeAway(watchdog, service, signal);
  };
  await repeat(look, lookMs, watchdog.onProblem, signal);
}

/** Ours, or another installation's, which is another controller's. */
async function registered({ http }: Watchdog, signal: AbortSignal): Promise<ApiService | undefined> {
  const path = member(API, "apiservices", API_SERVICE);
  return await ifThere(http.json<ApiService>({ verb: "get", resource: "apiservices", path, signal }));
}

const isDown = ({ status }: ApiService): boolean =>
  status?.conditions?.some(({ type, status }) => type === "Available" && status === "False") ?? false;

async function takeAway(watchdog: Watchdog, service: ApiService, signal: AbortSignal): Promise<void> {
  const { http } = watchdog;
  const { name, labels, annotations, uid, resourceVersion } = service.metadata;
  const kept = { apiVersion: API, kind: "APIService", metadata: { name, labels, annotations }, spec: service.spec };
  await keep(watchdog, JSON.stringify(kept), signal); // first: killed in between, it is registered and kept, which does no harm
  const path = member(API, "apiservices", API_SERVICE);
  const body = { preconditions: { uid, resourceVersion } }; // it may have come up this very moment
  await http.json({ verb: "delete", resource: "apiservices", path, body, signal });
  watchdog.onChange(false);
}

async function putBack(watchdog: Watchdog, signal: AbortSignal): Promise<void> {
  const { http } = watchdog;
  const path = member("v1", "configmaps", KEPT_IN, watchdog.namespace);
  const ask = { verb: "get", resource: "configmaps", path, signal } as const;
  const map = await ifThere(http.json<{ readonly data?: Readonly<Record<string, string>> }>(ask));
  const kept = map?.data?.[KEY];
  if (!kept) return; // we did not take it away: it is not installed, or an admin's decision
  const service = JSON.parse(kept) as ApiService;
  if (!(await answers(watchdog, service, signal))) return;
  const all = collection(API, "apiservices");
  await http.json({ verb: "create", resource: "apiservices", path: all, body: service, signal });
  await keep(watchdog, "", signal);
  watchdog.onChange(true);
}

async function keep({ http, namespace }: Watchdog, text: string, signal: AbortSignal): Promise<void> {
  const path = member("v1", "configmaps", KEPT_IN, namespace);
  const body = { data: { [KEY]: text } };
  await http.json({ verb: "patch", resource: "configmaps", path, body, contentType: MERGE_PATCH, signal });
}

/** Whether any server of the Service says that it is ready: nothing else asks it while it is not registered. */
async function answers({ http, namespace }: Watchdog, { spec }: ApiService, signal: AbortSignal): Promise<boolean> {
  const name = spec.service?.name ?? "";
  const { items } = await http.json<{ items: EndpointSlice[] }>({
    ...{ verb: "list", resource: "endpointslices", signal },
    path: collection("discovery.k8s.io/v1", "endpointslices", namespace),
    query: { labelSelector: `kubernetes.io/service-name=${name}` },
  });
  const servers = items.flatMap(({ endpoints = [], ports = [] }) =>
    endpoints
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses }) =>
        addresses.flatMap((host) => ports.flatMap(({ port }) => (port ? [{ host, port }] : []))),
      ),
  );
  const ready = await Promise.all(servers.map((server) => isReady(server, `${name}.${namespace}.svc`, spec)));
  return ready.includes(true);
}

function isReady(
  server: { host: string; port: number },
  servername: string,
  spec: ApiService["spec"],
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const ca = spec.caBundle === undefined ? {} : { ca: Buffer.from(spec.caBundle, "base64") };
  const options = { ...server, ...ca, servername, path: "/readyz", agent: false, timeout: ANSWER_MS };
  const asked = request({ ...options, rejectUnauthorized: spec.insecureSkipTLSVerify !== true }, (answer) => {
    answer.resume();
    resolve(answer.statusCode === 200);
  });
  asked.on("timeout", () => asked.destroy());
  asked.on("error", () => resolve(false)).on("close", () => resolve(false));
  asked.end();
  return promise;
}
