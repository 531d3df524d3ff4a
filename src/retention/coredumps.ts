/** What the collector says of a Coredump, and how it removes one. Refused when somebody has changed it meanwhile. */
import { printable } from "../domain/text.ts";
import { type KubeHttp, MERGE_PATCH } from "../kube/http.ts";
import type { Mirrored } from "../kube/mirror.ts";
import { COREDUMP_API, type KubeObject, member } from "../kube/objects.ts";
import type { Why } from "../policy/retention-world.ts";

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}

export interface CoredumpObject extends KubeObject {
  readonly spec: { readonly id?: string; readonly uid?: string; readonly namespaceUid?: string };
  readonly status?: { readonly state?: string; readonly conditions?: readonly Condition[] };
}

/** The condition's reason while a Saved dump's bundle is not where it should be. */
export const MISSING = "BundleMissing";

const WORDS: Readonly<Record<Why, string>> = {
  NamespaceDeleted: "its namespace was deleted",
  OwnerDeleted: "it was deleted",
  NoCoredump: "it had no Coredump",
  PodDeleted: "its pod was deleted, and the time that bundles of such pods are kept is over",
  OverAge: "the time that bundles are kept is over",
  OverSize: "the namespace's bundles took more than they may, and this was the oldest",
  AlreadyDeleted: "it was deleted",
};

/** Its bundle is going: nobody is to expect it any more. @returns it, as it is now */
export const markDeleted = (http: KubeHttp, record: Mirrored, why: Why, signal: AbortSignal): Promise<CoredumpObject> =>
  tell(http, record, { state: "Deleted", reason: why, message: `the bundle was removed: ${WORDS[why]}` }, signal);

export const markMissing = (http: KubeHttp, record: Mirrored, volume: string, signal: AbortSignal) =>
  tell(http, record, { reason: MISSING, message: `the bundle is not in ${printable(volume)}` }, signal);

export const markFound = (http: KubeHttp, record: Mirrored, signal: AbortSignal) =>
  tell(http, record, { reason: null, message: null }, signal);

export async function remove(http: KubeHttp, record: Mirrored, signal: AbortSignal): Promise<void> {
  const { uid, resourceVersion } = record;
  const path = pathOf(record);
  await http.json({
    verb: "delete",
    resource: "coredumps",
    path,
    body: { preconditions: { uid, resourceVersion } },
    signal,
  });
}

interface Telling {
  readonly state?: "Deleted";
  readonly reason: string | null;
  readonly message: string | null;
}

async function tell(http: KubeHttp, record: Mirrored, telling: Telling, signal: AbortSignal): Promise<CoredumpObject> {
  const path = pathOf(record);
  const { status } = await http.json<CoredumpObject>({ verb: "get", resource: "coredumps", path, signal });
  const { reason, message } = telling;
  const stored: Condition = {
    ...{ type: "Stored", status: reason === null ? "True" : "False", lastTransitionTime: new Date().toISOString() },
    ...{ reason: reason ?? "Verified", message: message ?? "" },
  };
  const others = (status?.conditions ?? []).filter(({ type }) => type !== "Stored");
  const body = {
    metadata: { uid: record.uid, resourceVersion: record.resourceVersion },
    status: { ...telling, conditions: [...others, stored] },
  };
  const patch = { verb: "patch", resource: "coredumps/status", path: `${path}/status`, body, signal } as const;
  return await http.json<CoredumpObject>({ ...patch, contentType: MERGE_PATCH });
}

const pathOf = ({ namespace, name }: Mirrored): string => member(COREDUMP_API, "coredumps", name, namespace);
