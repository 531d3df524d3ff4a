/** What of Kubernetes objects we look at: the API server's own JSON, trusted for its shape and no further. */
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
  };
}

export const COREDUMP_API = "coredump.fujitsu.com/v1";

/**
 * Path of all objects of a kind, or of those in a namespace.
 * @param api   `v1`, `coordination.k8s.io/v1`
 * @param kind  its plural: `pods`
 */
export function collection(api: string, kind: string, namespace?: string): string {
  const root = api.includes("/") ? `/apis/${api}` : `/api/${api}`;
  return namespace === undefined ? `${root}/${kind}` : `${root}/namespaces/${encodeURIComponent(namespace)}/${kind}`;
}

/** Path of one object. */
export const member = (api: string, kind: string, name: string, namespace?: string): string =>
  `${collection(api, kind, namespace)}/${encodeURIComponent(name)}`;
