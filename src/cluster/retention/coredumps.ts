/** What the collector says of a Coredump, and how it removes one. Refused when somebody has changed it meanwhile. */
import { printable } from "../../domain/text.ts";
import { type KubeHttp, MERGE_PATCH } from "../../kube/http.ts";
import type { Mirrored } from "../../kube/mirror.ts";
import { COREDUMP_API, type KubeObject, member } from "../../kube/objects.ts";
import type { Why } from "../policy/retention-world.ts";

interface Condition {
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
export function markDeleted(http: KubeHttp, record: Mirrored, why: Why, signal: AbortSignal): Promise<CoredumpObject> {
  const message = `the bundle was removed: ${WORDS[why]}`;
  const stored = { status: "False", reason: why, message };
  return tell(http, record, stored, { state: "Deleted", reason: why, message }, signal);
}

/** It stays Saved, and what was said of the dump stands. @param volume  in which it is looked for */
export const markMissing = (http: KubeHttp, record: Mirrored, volume: string, signal: AbortSignal) =>
  tell(http, record, { status: "False", reason: MISSING, message: `it is not in ${printable(volume)}` }, {}, signal);

export const markFound = (http: KubeHttp, record: Mirrored, signal: AbortSignal) =>
  tell(http, record, { status: "True", reason: "Verified", message: "" }, {}, signal);

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

/** @param stored  the condition of that type */
async function tell(
  http: KubeHttp,
  record: Mirrored,
  stored: Omit<Condition, "type" | "lastTransitionTime">,
  change: object,
  signal: AbortSignal,
): Promise<CoredumpObject> {
  const path = pathOf(record);
  const { status } = await http.json<CoredumpObject>({ verb: "get", resource: "coredumps", path, signal });
  const others = (status?.conditions ?? []).filter(({ type }) => type !== "Stored");
  const condition: Condition = { type: "Stored", ...stored, lastTransitionTime: new Date().toISOString() };
  const body = {
    metadata: { uid: record.uid, resourceVersion: record.resourceVersion },
    status: { ...change, conditions: [...others, condition] },
  };
  const patch = { verb: "patch", resource: "coredumps/status", path: `${path}/status`, body, signal } as const;
  return await http.json<CoredumpObject>({ ...patch, contentType: MERGE_PATCH });
}

const pathOf = ({ namespace, name }: Mirrored): string => member(COREDUMP_API, "coredumps", name, namespace);
