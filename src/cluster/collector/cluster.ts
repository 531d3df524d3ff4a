/** What the collector knows of the cluster. */
import { DumpError, isCode } from "../../domain/failures.ts";
import { type Coredump, coredumpsIn } from "../../kube/coredump.ts";
import type { KubeHttp } from "../../kube/http.ts";
import { type Follower, follow, type Kind } from "../../kube/informer.ts";
import { Mirror, type Mirrored } from "../../kube/mirror.ts";
import { type Conditioned, collection, ENDPOINT_API, isTrue, type KubeObject, member } from "../../kube/objects.ts";
import { endpointOf } from "../policy/retention.ts";
import type { EndpointView, NamespaceView, RecordView, RetentionWorld } from "../policy/retention-world.ts";
import { type EndpointObject, endpointView, namespaceView, type PodMirrored, podView, recordView } from "./views.ts";

const CRD = "coredumps.coredump.fujitsu.com";

const NAMESPACES: Kind = { resource: "namespaces", path: collection("v1", "namespaces"), metadataOnly: true };
export const PODS: Kind = { resource: "pods", path: collection("v1", "pods"), metadataOnly: true };
export const DUMPS: Kind = { resource: "coredumps", path: coredumpsIn() };
const ENDPOINTS: Kind = { resource: "coredumpendpoints", path: collection(ENDPOINT_API, "coredumpendpoints") };

/** Deletions that led to nothing for so long concern dumps that never had a bundle. */
const MAX_DELETIONS = 10_000;

export class GcCluster {
  readonly records: Mirror<Coredump, Mirrored & RecordView>;
  readonly endpoints: Mirror<EndpointObject, Mirrored & EndpointView>;
  readonly #namespaces: Mirror<KubeObject, Mirrored & NamespaceView>;
  readonly #pods: Mirror<KubeObject, PodMirrored>;
  readonly #http: KubeHttp;
  /** What was deleted before our eyes: dumps, by their Coredump; uids of pods; names of namespaces. A list proves less. */
  readonly #deleted = { dumps: new Set<string>(), pods: new Set<string>(), namespaces: new Set<string>() };
  #crdUid: string | undefined;

  /** @param onChange  gets the namespace in which there may be something to do */
  constructor(http: KubeHttp, onChange: (namespace: string) => void) {
    this.#http = http;
    // What is new, or goes on, waits for the next whole round: only an end, and an owner's wish, are news.
    this.records = new Mirror(recordView, (namespace, name) => {
      if (!this.records.get(namespace, name)) onChange(namespace);
    });
    this.endpoints = new Mirror(endpointView, () => undefined);
    this.#pods = new Mirror(podView, (namespace, name) => {
      const pod = this.#pods.get(namespace, name);
      if (pod ? this.#wantsEndpoint(pod) : this.#concerns(namespace)) onChange(namespace);
    });
    this.#namespaces = new Mirror(namespaceView, (_, name) => {
      if (this.#namespaces.get("", name)?.isGoing !== false) return onChange(name);
      this.#deleted.namespaces.delete(name); // whatever goes from here on is another's
    });
  }

  /** Until the signal. @param onProblem  by resource */
  follow(onProblem: (resource: string, problem: unknown) => void, signal: AbortSignal): Promise<unknown> {
    const following = <O extends KubeObject>(kind: Kind, follower: Follower<O>) =>
      follow(this.#http, kind, follower, (problem) => onProblem(kind.resource, problem), signal);
    const { dumps, namespaces, pods } = this.#deleted;
    const namespacesSeen = watched(this.#namespaces, ({ metadata }) => remember(namespaces, metadata.name));
    const podsSeen = watched(this.#pods, ({ metadata: { namespace = "", uid } }) => {
      if (this.#concerns(namespace)) remember(pods, uid);
    });
    const dumpsSeen = watched(this.records, (object) => remember(dumps, recordView(object).dump));
    return Promise.all([
      following(NAMESPACES, namespacesSeen),
      following(PODS, podsSeen),
      following(DUMPS, dumpsSeen),
      following(ENDPOINTS, this.endpoints),
    ]);
  }

  /** Endpoints are not waited for: perhaps they are not served. */
  async whenSynced(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#namespaces, this.#pods, this.records].map((mirror) => mirror.whenSynced(signal)));
  }

  /** @throws DumpError RETENTION_STOPPED while the absence of a Coredump means nothing */
  async mustServeCoredumps(signal: AbortSignal): Promise<void> {
    const path = member("apiextensions.k8s.io/v1", "customresourcedefinitions", CRD);
    const ask = { verb: "get", resource: "customresourcedefinitions", path, signal } as const;
    const crd = await this.#http.json<Conditioned>(ask).catch((error) => {
      if (!isCode(error, "NOT_FOUND")) throw error;
      this.#kindIs("missing");
      throw stopped("is missing");
    });
    this.#kindIs(crd.metadata.uid);
    if (crd.metadata.deletionTimestamp !== undefined) throw stopped("is being deleted");
    if (!isTrue(crd, "Established")) throw stopped("is not established");
  }

  /** With a kind its objects go, which were not deleted one by one. */
  #kindIs(uid: string): void {
    if (this.#crdUid !== undefined && this.#crdUid !== uid) this.#deleted.dumps.clear();
    this.#crdUid = uid;
  }

  /** @param scope  a namespace, or "" for all of them */
  world(scope: string): Omit<RetentionWorld, "bundles" | "uploads" | "savedBefore" | "missed"> {
    const within = <O extends KubeObject, M extends Mirrored>(mirror: Mirror<O, M>): M[] =>
      scope === "" ? mirror.namespaces().flatMap((namespace) => mirror.in(namespace)) : mirror.in(scope);
    return {
      namespaces: new Map(this.#namespaces.in("").map((namespace) => [namespace.name, namespace])),
      pods: new Set(within(this.#pods).map(({ uid }) => uid)),
      autoPods: within(this.#pods).filter(({ isAuto }) => isAuto),
      records: within(this.records),
      endpoints: this.endpoints.synced ? within(this.endpoints) : undefined,
      ownerDeleted: this.#deleted.dumps,
      namespacesDeleted: this.#deleted.namespaces,
      podsDeleted: this.#deleted.pods,
    };
  }

  /** Acted on. */
  forget(dump: string): void {
    this.#deleted.dumps.delete(dump);
  }

  #wantsEndpoint(pod: PodMirrored): boolean {
    return pod.isAuto && !this.endpoints.get(pod.namespace, endpointOf(pod));
  }

  /** Whether a pod of that namespace matters to anybody. */
  #concerns(namespace: string): boolean {
    return this.records.in(namespace).length > 0 || this.endpoints.in(namespace).length > 0;
  }
}

/** @param onDeleted  before the mirror forgets it */
function watched<O extends KubeObject, M extends Mirrored>(
  mirror: Mirror<O, M>,
  onDeleted: (object: O) => void,
): Follower<O> {
  return {
    listed: (object) => mirror.listed(object),
    listEnded: () => mirror.listEnded(),
    listFailed: () => mirror.listFailed(),
    changed: (object) => mirror.changed(object),
    deleted: (object) => {
      onDeleted(object);
      mirror.deleted(object);
    },
  };
}

/** The oldest is forgotten for it when there are too many. */
function remember(deleted: Set<string>, what: string): void {
  deleted.add(what);
  if (deleted.size > MAX_DELETIONS) deleted.delete(deleted.values().next().value ?? "");
}

function stopped(why: string): DumpError {
  const words = `Cannot tell which dumps are wanted: the custom resource definition ${CRD} ${why}`;
  const hint = "kubectl apply -f install/crd; if dumps are to go, delete them, not their kind";
  return new DumpError("RETENTION_STOPPED", words, { hint });
}
