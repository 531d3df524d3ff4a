/** Our Coredump (install/crd/coredumps.yaml): the one declaration of what it holds, where it is, and how parts of it are written. */
import type { Crash } from "../domain/crash.ts";
import type { State } from "../domain/states.ts";
import { type KubeHttp, MERGE_PATCH } from "./http.ts";
import type { Mirrored } from "./mirror.ts";
import { COREDUMP_API, type Condition, collection, type KubeObject, member } from "./objects.ts";

/**
 * As the API server gives it; `string | number` is a quantity. Whatever the schema demands, every field may be missing: objects of earlier versions had fewer.
 * What a field means stands in the schema; test/cluster/registration/declared.test.ts compares the two.
 */
export interface Coredump extends KubeObject {
  readonly spec: {
    readonly id?: string;
    readonly node?: string;
    readonly namespaceUid?: string;
    readonly pod?: string;
    readonly uid?: string;
    readonly containerName?: string;
    readonly attempt?: number;
    readonly image?: string;
    readonly imageDigest?: string;
    readonly pid?: number;
    readonly containerPid?: number;
    readonly processUid?: number;
    readonly processGid?: number;
    readonly filename?: string;
    readonly exe?: string;
    readonly comm?: string;
    readonly signal?: { readonly number: number; readonly name: string };
    readonly processUptimeMs?: number;
    readonly dumptime?: string;
    readonly volume?: string;
    readonly size?: string | number;
  };
  readonly status?: {
    /** A later version's may be another. */
    readonly state?: State;
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly Condition[];
    readonly complete?: boolean;
    readonly displaySize?: string;
    readonly logicalSize?: string | number;
    readonly expectedSize?: string | number;
    readonly bundleSize?: string | number;
    readonly checksum?: string;
    readonly key?: string;
    readonly signalCode?: number;
    readonly faultAddress?: string;
    readonly heldMs?: number;
    /** Without nulls: read it by crashFrom(). */
    readonly crash?: Partial<Crash>;
    readonly threads?: readonly { readonly tid: number; readonly name?: string; readonly crashed?: boolean }[];
    readonly threadCount?: number;
    readonly repeats?: number;
  };
}

export const coredumpsIn = (namespace?: string): string => collection(COREDUMP_API, "coredumps", namespace);

export const coredumpAt = (namespace: string, name: string): string =>
  member(COREDUMP_API, "coredumps", name, namespace);

/**
 * Writes a condition beside the others, and `change` into the status, if the object has not changed meanwhile.
 * @returns it, as it then is. @throws DumpError API_CONFLICT, NOT_FOUND, API_…
 */
export async function writeCondition(
  http: KubeHttp,
  { namespace, name, uid, resourceVersion }: Mirrored,
  condition: Omit<Condition, "lastTransitionTime">,
  change: object,
  signal: AbortSignal,
): Promise<Coredump> {
  const path = coredumpAt(namespace, name);
  const { status } = await http.json<Coredump>({ verb: "get", resource: "coredumps", path, signal });
  const others = (status?.conditions ?? []).filter(({ type }) => type !== condition.type);
  const conditions = [...others, { ...condition, lastTransitionTime: new Date().toISOString() }];
  const body = { metadata: { uid, resourceVersion }, status: { ...change, conditions } };
  const patch = { verb: "patch", resource: "coredumps/status", path: `${path}/status`, body, signal } as const;
  return await http.json<Coredump>({ ...patch, contentType: MERGE_PATCH });
}

/** Removes it, if it has not changed meanwhile. @throws DumpError API_CONFLICT, NOT_FOUND, API_… */
export async function removeCoredump(
  http: KubeHttp,
  { namespace, name, uid, resourceVersion }: Mirrored,
  signal: AbortSignal,
): Promise<void> {
  const body = { preconditions: { uid, resourceVersion } };
  await http.json({ verb: "delete", resource: "coredumps", path: coredumpAt(namespace, name), body, signal });
}
