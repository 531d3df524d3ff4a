/** What the API server says of dumps and their namespaces. Names are checked first: they become parts of a path. */

import { DumpError } from "../../domain/failures.ts";
import { type Coredump, coredumpAt, coredumpsIn } from "../../kube/coredump.ts";
import type { KubeHttp } from "../../kube/http.ts";
import { LABELS, labelValue } from "../../kube/labels.ts";
import { isName, isNamespace } from "../../kube/names.ts";
import { isTerminating, member, type Namespace } from "../../kube/objects.ts";

/** @throws DumpError NOT_FOUND when there is none, or another one came; API_… */
export async function coredumpOf(
  kube: KubeHttp,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Coredump> {
  if (!isNamespace(namespace) || !isName(name)) throw noDump(name);
  const path = coredumpAt(namespace, name);
  const coredump = await kube.json<Coredump>({ verb: "get", resource: "coredumps", path, signal });
  if (coredump.metadata?.name !== name || coredump.metadata.namespace !== namespace) throw noDump(name);
  return coredump;
}

/** All that the pod's processes left in that namespace. @throws DumpError API_… */
export async function coredumpsOf(
  kube: KubeHttp,
  namespace: string,
  podUid: string,
  signal: AbortSignal,
): Promise<readonly Coredump[]> {
  if (!isNamespace(namespace)) return [];
  const query = { labelSelector: `${LABELS.podUid}=${labelValue(podUid)}` };
  const ask = { verb: "list", resource: "coredumps", path: coredumpsIn(namespace), query, signal } as const;
  const { items = [] } = await kube.json<{ items?: readonly Coredump[] }>(ask);
  // A label is a hint: what is not proven by the spec does not count.
  return items.filter(({ metadata, spec }) => metadata.namespace === namespace && spec.uid === podUid);
}

/** uid of the namespace that has this name now. @throws DumpError NOT_FOUND when there is none, or it is being deleted */
export async function namespaceUidOf(kube: KubeHttp, namespace: string, signal: AbortSignal): Promise<string> {
  if (!isNamespace(namespace)) throw noNamespace(namespace, "there is none");
  const path = member("v1", "namespaces", namespace);
  const found = await kube.json<Namespace>({ verb: "get", resource: "namespaces", path, signal });
  if (isTerminating(found)) throw noNamespace(namespace, "it is being deleted, and its dumps with it");
  return found.metadata.uid;
}

const noDump = (name: string): DumpError =>
  new DumpError("NOT_FOUND", `Cannot serve ${JSON.stringify(name)}: there is no such coredump`);

const noNamespace = (namespace: string, why: string): DumpError =>
  new DumpError("NOT_FOUND", `Cannot serve dumps of namespace ${JSON.stringify(namespace)}: ${why}`);
