/** Coredumps and endpoints for the plugin: listed page by page, found by name, removed. */
import { DumpError, isCode } from "../../domain/failures.ts";
import type { KubeHttp } from "../../kube/http.ts";
import { COREDUMP_API, collection, ENDPOINT_API, type KubeObject, member } from "../../kube/objects.ts";

export interface Endpoint extends KubeObject {
  readonly spec?: { readonly podname?: string; readonly poduid?: string };
}

export type Plural = "coredumps" | "coredumpendpoints";
const API: Readonly<Record<Plural, string>> = { coredumps: COREDUMP_API, coredumpendpoints: ENDPOINT_API };
const PAGE = "500";

export interface Selection {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** @param namespace undefined: all of them */
export const pathOf = (resource: Plural, namespace: string | undefined, name?: string): string =>
  name === undefined
    ? collection(API[resource], resource, namespace)
    : member(API[resource], resource, name, namespace);

/** The selection as a request's query. */
export const queryOf = ({ labelSelector, fieldSelector }: Selection): Record<string, string> => ({
  ...(labelSelector !== undefined && { labelSelector }),
  ...(fieldSelector !== undefined && { fieldSelector }),
});

/** All that are selected, in the API's order. */
export async function listed<O extends KubeObject>(
  http: KubeHttp,
  resource: Plural,
  namespace: string | undefined,
  selection: Selection = {},
): Promise<O[]> {
  const objects: O[] = [];
  for (let next: string | undefined = ""; next !== undefined; ) {
    const query = { ...queryOf(selection), limit: PAGE, ...(next !== "" && { continue: next }) };
    const page: { items?: O[]; metadata?: { continue?: string } } = await http.json({
      verb: "list",
      resource,
      path: pathOf(resource, namespace),
      query,
    });
    objects.push(...(page.items ?? []));
    next = page.metadata?.continue || undefined;
  }
  return objects;
}

/** @throws DumpError DUMP_NOT_FOUND, with where to look */
export async function found<O extends KubeObject>(
  http: KubeHttp,
  resource: Plural,
  namespace: string,
  name: string,
): Promise<O> {
  try {
    return await http.json<O>({ verb: "get", resource, path: pathOf(resource, namespace, name) });
  } catch (error) {
    if (!isCode(error, "NOT_FOUND")) throw error;
    const list = resource === "coredumps" ? "list" : "endpoint list";
    throw new DumpError("DUMP_NOT_FOUND", `Cannot find ${name} in namespace ${namespace}`, {
      cause: error,
      hint: `kubectl coredump ${list} -n ${namespace}, or -A for all namespaces`,
    });
  }
}

/** This very object: a newer one of the same name stays. */
export async function remove(http: KubeHttp, resource: Plural, { metadata }: KubeObject): Promise<void> {
  const { name, namespace, uid } = metadata;
  const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions: { uid } };
  const path = pathOf(resource, namespace, name);
  await http.json({ verb: "delete", resource, path, body });
}
