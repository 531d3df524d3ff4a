/**
 * What becomes of an object that a client wrote: what the writer says, what the server says, what never changes. Pure: time,
 * uid and what the cluster knows come in as arguments.
 */
import { isDeepStrictEqual } from "node:util";
import { type CoredumpEndpoint, ENDPOINT, GROUP, GROUP_VERSION, KIND, RESOURCE } from "./kind.ts";
import { clipped, LIMITS, quoted } from "./limits.ts";
import { assertCounts } from "./measure.ts";
import type { ObjectMeta } from "./meta.ts";
import { isObject, shaped } from "./schema.ts";
import { badRequest, type Cause, conflict, invalid, modified } from "./status-error.ts";
import { problemsOf } from "./validation.ts";

/** What a client sent: of the right shape, but any field may be missing. */
export interface Draft {
  readonly metadata: Partial<ObjectMeta>;
  readonly spec: Partial<CoredumpEndpoint["spec"]>;
  readonly status?: CoredumpEndpoint["status"];
}

/** Of a new object, from the server. */
interface Creation {
  readonly name: string;
  readonly namespace: string;
  readonly namespaceUid: string;
  readonly podUid: string;
  readonly uid: string;
  readonly now: string;
}

/** @param onUnknown gets the path of each unknown field. @throws StatusError 400 when it is not an object of this kind */
export function draftOf(body: unknown, onUnknown: (path: string) => void): Draft {
  if (!isObject(body)) throw badRequest("the body must be an object");
  const { apiVersion, kind } = body;
  if ((apiVersion !== undefined && apiVersion !== GROUP_VERSION) || (kind !== undefined && kind !== KIND))
    throw badRequest(
      `${quoted(kind)} in version ${quoted(apiVersion)} cannot be handled as a ${KIND} of ${GROUP_VERSION}`,
    );
  const { metadata = {}, spec = {}, status } = shaped(ENDPOINT, body, "", onUnknown) as Partial<Draft>;
  return { metadata, spec, ...(status && { status }) };
}

/** @throws StatusError 422 */
export function created({ metadata, spec }: Draft, creation: Creation): CoredumpEndpoint {
  const { name, namespace, namespaceUid, podUid, uid, now } = creation;
  const endpoint: CoredumpEndpoint = {
    apiVersion: GROUP_VERSION,
    kind: KIND,
    metadata: {
      ...own(metadata),
      ...(metadata.generateName && { generateName: metadata.generateName }),
      ...{ name, namespace, uid, generation: 1, creationTimestamp: now },
    },
    spec: { ...(spec.podname && { podname: spec.podname }), poduid: podUid, namespaceuid: namespaceUid },
  };
  assertCounts(endpoint);
  const foreign = spec.namespaceuid && spec.namespaceuid !== namespaceUid;
  return valid(
    endpoint,
    foreign ? [fieldInvalid("spec.namespaceuid", spec.namespaceuid, "is not this namespace's UID")] : [],
  );
}

/** What a write to the object itself makes of it: its status stays. @throws StatusError 409, 422 */
export function updated(old: CoredumpEndpoint, { metadata, spec }: Draft): CoredumpEndpoint {
  const [said, before] = [{ ...old.spec, ...filled(spec) }, old.spec];
  const { podname: _, ...rest } = said;
  const next: CoredumpEndpoint = {
    ...old,
    metadata: { ...kept(old.metadata), ...own(metadata) },
    spec: { ...(spec.podname && { podname: spec.podname }), ...rest },
  };
  assertCounts(next, old);
  const immutable = (["poduid", "namespaceuid"] as const)
    .filter((field) => said[field] !== before[field])
    .map((field) => fieldInvalid(`spec.${field}`, said[field], "field is immutable"));
  const known = new Set(old.metadata.finalizers);
  const more = (metadata.finalizers ?? []).filter((each) => !known.has(each));
  const late = old.metadata.deletionTimestamp !== undefined && more.length > 0;
  const why = "no new finalizers can be added if the object is being deleted";
  const causes = late ? [fieldInvalid("metadata.finalizers", more.slice(0, LIMITS.words).join(), why)] : [];
  const generation = old.metadata.generation + (isDeepStrictEqual(next.spec, before) ? 0 : 1);
  return valid({ ...next, metadata: { ...next.metadata, generation } }, [...immutable, ...causes]);
}

/** What a write to its status makes of it: nothing else changes. @throws StatusError 422 */
export function withStatus(old: CoredumpEndpoint, draft: Draft): CoredumpEndpoint {
  const { status: _, ...rest } = old;
  const next = { ...rest, ...(draft.status && { status: draft.status }) };
  assertCounts(next, old);
  return next;
}

/** To be deleted, as soon as no finalizer is left. */
export function dying(old: CoredumpEndpoint, now: string, propagation: string | undefined): CoredumpEndpoint {
  const { deletionTimestamp, finalizers = [], generation } = old.metadata;
  const collector = propagation === "Foreground" ? ["foregroundDeletion"] : propagation === "Orphan" ? ["orphan"] : [];
  const all = [...new Set([...finalizers, ...collector])];
  const isNew = deletionTimestamp === undefined;
  return {
    ...old,
    metadata: {
      ...old.metadata,
      ...(isNew && { deletionTimestamp: now, deletionGracePeriodSeconds: 0, generation: generation + 1 }),
      ...(all.length > 0 && { finalizers: all }),
    },
  };
}

/** Whether it is to be deleted, and no finalizer is left. */
export const isGone = ({ metadata }: CoredumpEndpoint): boolean =>
  metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0;

/** What the writer expects the object to be. @throws StatusError 409 */
export function expect(
  { metadata }: CoredumpEndpoint,
  revision: bigint,
  expected: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined },
): void {
  const what = { group: GROUP, resource: RESOURCE, name: metadata.name };
  const uids = `UID in precondition: ${clipped(expected.uid ?? "")}, UID in object meta: ${metadata.uid}`;
  if (expected.uid && expected.uid !== metadata.uid) throw conflict(what, `Precondition failed: ${uids}`);
  if (expected.resourceVersion && expected.resourceVersion !== String(revision)) throw modified(what);
}

/** Of metadata, what a writer may say. */
const own = ({ labels, annotations, finalizers, ownerReferences }: Draft["metadata"]) => ({
  ...(labels && Object.keys(labels).length > 0 && { labels }),
  ...(annotations && Object.keys(annotations).length > 0 && { annotations }),
  ...(finalizers && finalizers.length > 0 && { finalizers: [...new Set(finalizers)] }),
  ...(ownerReferences && ownerReferences.length > 0 && { ownerReferences }),
});

/** The rest of it. */
function kept({ labels, annotations, finalizers, ownerReferences, ...rest }: ObjectMeta) {
  return rest;
}

/** What is left empty is left as it is, as with any field that the server fills in. */
const filled = (spec: Draft["spec"]): Draft["spec"] =>
  Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== ""));

function valid(endpoint: CoredumpEndpoint, causes: readonly Cause[]): CoredumpEndpoint {
  const problems = problemsOf(endpoint).map(({ field, value, problem }) => fieldInvalid(field, value, problem));
  const all = [...causes, ...problems];
  if (all.length > 0) throw invalid(KIND, endpoint.metadata.name, GROUP, all);
  return endpoint;
}

const fieldInvalid = (field: string, value: unknown, message: string): Cause => ({
  reason: "FieldValueInvalid",
  message: `Invalid value: ${quoted(value)}: ${message}`,
  field,
});
