/** What of Kubernetes objects we look at: the API server's own JSON, trusted for its shape and no further. */
import { DumpError } from "../domain/failures.ts";
import { isName, isNamespace } from "./names.ts";

export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { apiVersion: string; kind: string; name: string; uid: string }[];
    /** Who wrote it, and when by the API server's clock. */
    readonly managedFields?: readonly { readonly time?: string }[];
  };
}

/** As far as we read it; `phase` is Active or Terminating. */
export interface Namespace extends KubeObject {
  readonly status?: { readonly phase?: string };
}

/** Whether it is being deleted, and takes nothing new. */
export const isTerminating = ({ metadata, status }: Namespace): boolean =>
  metadata.deletionTimestamp !== undefined || status?.phase === "Terminating";

/** As in metav1.Condition. Some of the API server's own kinds leave out all but type and status. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

/** What says by conditions how it is: a CustomResourceDefinition (`Established`), an APIService (`Available`). */
export interface Conditioned extends KubeObject {
  readonly status?: { readonly conditions?: readonly Condition[] };
}

export const isTrue = ({ status }: Conditioned, type: string): boolean =>
  status?.conditions?.some((each) => each.type === type && each.status === "True") === true;

export const COREDUMP_API = "coredump.fujitsu.com/v1";
/** What the aggregated API server serves. */
export const ENDPOINT_API = "coredump.fujitsu.com/v1alpha1";

/**
 * Path of all objects of a kind, or of those in a namespace. Only names get into a path: escaping is not enough, because the API
 * server decodes `%2F`, so that `NAME%2Fstatus` is a subresource, and an empty name is the collection.
 *
 * @param api   `v1`, `coordination.k8s.io/v1`
 * @param kind  its plural: `pods`
 * @throws DumpError API_INVALID for what is not a name
 */
export function collection(api: string, kind: string, namespace?: string): string {
  const root = api.includes("/") ? `/apis/${api}` : `/api/${api}`;
  if (namespace === undefined) return `${root}/${kind}`;
  if (!isNamespace(namespace)) throw notAName(kind, "namespace", namespace);
  return `${root}/namespaces/${namespace}/${kind}`;
}

/** Path of one object. @throws DumpError API_INVALID for what is not a name */
export function member(api: string, kind: string, name: string, namespace?: string): string {
  if (!isName(name)) throw notAName(kind, "object", name);
  return `${collection(api, kind, namespace)}/${name}`;
}

const notAName = (kind: string, of: string, name: string): DumpError =>
  new DumpError(
    "API_INVALID",
    `Cannot ask for ${kind}: ${JSON.stringify(name.slice(0, 300))} is not the name of any ${of}`,
  );
