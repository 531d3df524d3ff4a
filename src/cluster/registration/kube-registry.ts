/** The registry on a Kubernetes API server. */

import type { ClaimPod } from "../../domain/claim.ts";
import { DumpError, isCode } from "../../domain/failures.ts";
import { type Coredump, coredumpAt, coredumpsIn } from "../../kube/coredump.ts";
import { ifThere } from "../../kube/failures.ts";
import type { KubeHttp, KubeRequest } from "../../kube/http.ts";
import { follow } from "../../kube/informer.ts";
import { LABELS, labelValue } from "../../kube/labels.ts";
import { COREDUMP_API, type Conditioned, isTrue, type KubeObject, member, type Namespace } from "../../kube/objects.ts";
import { coredumpOf, lateFields, type PodRecord, statusOf } from "./coredump.ts";
import { labelsOf, objectName } from "./names.ts";
import type { Changes, NamespaceState, PodSeen, Registry } from "./registry.ts";

const CRD = member("apiextensions.k8s.io/v1", "customresourcedefinitions", "coredumps.coredump.fujitsu.com");

/** With the fields, and the labels, that were not known when it was made. */
const completed = (seen: Coredump, record: PodRecord, late: object): object => ({
  ...seen,
  metadata: { ...seen.metadata, labels: { ...seen.metadata.labels, ...labelsOf(record) } },
  spec: { ...seen.spec, ...late },
});

/** A mirror pod's annotation: the uid that the kubelet gave a static pod, which the API's is not. */
const CONFIG_HASH = "kubernetes.io/config.hash";

type PodObject = KubeObject & ClaimPod & { readonly spec?: { readonly hostUsers?: boolean } };

export class KubeRegistry implements Registry {
  readonly #http: KubeHttp;
  readonly #now: () => Date;

  constructor(http: KubeHttp, now: () => Date = () => new Date()) {
    this.#http = http;
    this.#now = now;
  }

  async namespace(namespace: string, signal: AbortSignal): Promise<NamespaceState> {
    const [own, system, crd, list] = await Promise.all([
      this.#get<Namespace>("namespaces", member("v1", "namespaces", namespace), signal),
      this.#get<Namespace>("namespaces", member("v1", "namespaces", "kube-system"), signal),
      this.#get<Conditioned>("customresourcedefinitions", CRD, signal),
      this.#list(namespace, signal),
    ]);
    if (!system) throw new DumpError("API_UNAVAILABLE", "Cannot tell which cluster this is: no namespace kube-system");
    return {
      clusterUid: system.metadata.uid,
      crdUid: crd && isEstablished(crd) ? crd.metadata.uid : undefined,
      namespaceUid: own?.metadata.uid,
      namespaceSince: own?.metadata.creationTimestamp,
      labels: own?.metadata.labels ?? {},
      annotations: own?.metadata.annotations ?? {},
      listVersion: list,
    };
  }

  async pod({ pod }: PodRecord, signal: AbortSignal): Promise<PodSeen | undefined> {
    const path = member("v1", "pods", pod.name, pod.namespace);
    const found = await this.#get<PodObject>("pods", path, signal);
    if (!found) return undefined;
    const { uid, labels = {}, annotations = {} } = found.metadata;
    const isIt = uid === pod.uid || plain(annotations[CONFIG_HASH] ?? "") === plain(pod.uid);
    const hostUsers = found.spec?.hostUsers !== false;
    return isIt ? { uid, labels, object: found, hostUsers } : undefined; // one of the same name that came later
  }

  async create(record: PodRecord, namespaceUid: string, signal: AbortSignal): Promise<Coredump> {
    const path = coredumpsIn(record.pod.namespace);
    const body = coredumpOf(record, namespaceUid);
    try {
      return await this.#http.json<Coredump>({ verb: "create", resource: "coredumps", path, body, signal });
    } catch (error) {
      if (!isCode(error, "API_CONFLICT")) throw error;
      const there = await this.read(record, objectName(record), signal);
      if (there?.spec.id === record.id) return there; // an earlier try came through
      throw error;
    }
  }

  read({ pod }: PodRecord, name: string, signal: AbortSignal): Promise<Coredump | undefined> {
    return this.#get<Coredump>("coredumps", coredumpAt(pod.namespace, name), signal);
  }

  async report(record: PodRecord, seen: Coredump, signal: AbortSignal): Promise<Coredump> {
    const path = coredumpAt(record.pod.namespace, seen.metadata.name);
    const update = (request: Pick<KubeRequest, "resource" | "path"> & { body: object }) =>
      this.#http.json<Coredump>({ verb: "update", ...request, signal });
    const late = { ...lateFields(record), ...setFields(seen) };
    const label = labelsOf(record)[LABELS.crash]; // an object that was made while the core came in has none
    const isNew =
      (late.size !== undefined && seen.spec.size === undefined) ||
      (late.volume !== undefined && seen.spec.volume === undefined) ||
      (label !== undefined && seen.metadata.labels?.[LABELS.crash] !== label);
    const specced = isNew ? await update({ resource: "coredumps", path, body: completed(seen, record, late) }) : seen;
    const status = statusOf(record, specced.status, this.#now());
    return await update({ resource: "coredumps/status", path: `${path}/status`, body: { ...specced, status } });
  }

  async note(seen: Coredump, message: string, signal: AbortSignal): Promise<void> {
    const path = `${coredumpAt(seen.metadata.namespace ?? "", seen.metadata.name)}/status`;
    const body = { apiVersion: COREDUMP_API, kind: "Coredump", ...seen, status: { ...seen.status, message } };
    await this.#http.json({ verb: "update", resource: "coredumps/status", path, body, signal });
  }

  async follow(
    node: string,
    changes: Changes,
    onProblem: (problem: unknown) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const query = { labelSelector: `${LABELS.node}=${labelValue(node)}` };
    const isOurs = ({ spec }: Coredump) => spec?.node === node; // a label is shorter than a name may be
    let gathering: Coredump[] = [];
    const follower = {
      listed: (coredump: Coredump) => void (isOurs(coredump) && gathering.push(coredump)),
      listEnded: (version: string) => {
        changes.listed(gathering, version);
        gathering = [];
      },
      listFailed: () => {
        gathering = [];
      },
      changed: (coredump: Coredump) => void (isOurs(coredump) && changes.changed(coredump)),
      deleted: (coredump: Coredump) => void (isOurs(coredump) && changes.deleted(coredump)),
    };
    await follow(this.#http, { resource: "coredumps", path: coredumpsIn(), query }, follower, onProblem, signal);
  }

  async #list(namespace: string, signal: AbortSignal): Promise<string> {
    const request = {
      verb: "list",
      resource: "coredumps",
      path: coredumpsIn(namespace),
      query: { limit: "1" },
      signal,
    } as const;
    const list = await this.#http.json<{ metadata?: { resourceVersion?: string } }>(request);
    return list.metadata?.resourceVersion ?? "";
  }

  async #get<T>(resource: string, path: string, signal: AbortSignal): Promise<T | undefined> {
    return await ifThere(this.#http.json<T>({ verb: "get", resource, path, signal }));
  }
}

/** What an earlier report set stays: each is set once. */
const setFields = ({ spec: { volume, size } }: Coredump): Pick<Coredump["spec"], "volume" | "size"> => ({
  ...(volume !== undefined && { volume }),
  ...(size !== undefined && { size }),
});

const isEstablished = (crd: Conditioned): boolean =>
  crd.metadata.deletionTimestamp === undefined && isTrue(crd, "Established");

const plain = (uid: string): string => uid.replaceAll("-", "");
