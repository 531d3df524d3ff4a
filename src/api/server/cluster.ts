/** What we ask the cluster about an object's surroundings, again each time. */

import { ifThere } from "../../kube/failures.ts";
import type { KubeHttp } from "../../kube/http.ts";
import { isTerminating, type KubeObject, member, type Namespace } from "../../kube/objects.ts";
import { GROUP, RESOURCE } from "./kind.ts";
import { forbidden, notFound } from "./status-error.ts";

export interface UidLookup {
  /** UID of a namespace in which something may be made. @throws StatusError 403 when it is going away; 404 */
  namespaceUid(namespace: string, signal?: AbortSignal): Promise<string>;
  /** UID of the pod of that name. @throws StatusError 404 */
  podUid(namespace: string, name: string, signal?: AbortSignal): Promise<string>;
}

export class ClusterUids implements UidLookup {
  readonly #http: KubeHttp;

  constructor(http: KubeHttp) {
    this.#http = http;
  }

  async namespaceUid(namespace: string, signal?: AbortSignal): Promise<string> {
    const path = member("v1", "namespaces", namespace);
    const found = await this.#get<Namespace>("namespaces", path, signal);
    if (!found) throw notFound({ resource: "namespaces", name: namespace });
    if (!isTerminating(found)) return found.metadata.uid;
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    const message = `namespace ${namespace} is being terminated`;
    const cause = { reason: "NamespaceTerminating", message, field: "metadata.namespace" };
    throw forbidden({ group: GROUP, resource: RESOURCE }, why, [cause]);
  }

  async podUid(namespace: string, name: string, signal?: AbortSignal): Promise<string> {
    const pod = await this.#get<KubeObject>("pods", member("v1", "pods", name, namespace), signal);
    if (!pod) throw notFound({ resource: "pods", name }, "give spec.podname, or spec.poduid for a pod that is gone");
    return pod.metadata.uid;
  }

  async #get<O>(resource: string, path: string, signal?: AbortSignal): Promise<O | undefined> {
    return await ifThere(this.#http.json<O>({ verb: "get", resource, path, signal }));
  }
}
