import assert from "node:assert/strict";
import { test } from "node:test";
import { answerReview } from "../../../src/webhook/admission/review.ts";
import { patched, podOf, REVIEWS } from "./pods.ts";

const review = REVIEWS.get("bare") ?? "";
const parsed = JSON.parse(review);
const changed = (request: object, more: object = {}) =>
  JSON.stringify({ ...parsed, ...more, request: { ...parsed.request, ...request } });
// biome-ignore lint/suspicious/noExplicitAny: an answer as its caller reads it
const answerTo = (text: string): any => answerReview(text).review;

for (const version of ["v1", "v1beta1"])
  test(`answerReview() answers ${version} in ${version}, with kind, uid and patch`, () => {
    const { apiVersion, kind, response } = answerTo(changed({}, { apiVersion: `admission.k8s.io/${version}` }));
    assert.deepEqual([apiVersion, kind], [`admission.k8s.io/${version}`, "AdmissionReview"]);
    assert.deepEqual(Object.keys(response), ["uid", "allowed", "patchType", "patch"]);
    assert.deepEqual([response.uid, response.allowed, response.patchType], [parsed.request.uid, true, "JSONPatch"]);
    const additions = JSON.parse(Buffer.from(response.patch, "base64").toString());
    assert.equal(patched(podOf(review), additions).spec?.volumes?.length, 1);
  });

test("answerReview() denies with a code and a message for people", () => {
  const { uid, allowed, status } = answerTo(REVIEWS.get("mount-at") ?? "").response;
  assert.deepEqual([typeof uid, allowed, status.code, status.reason], ["string", false, 400, "BadRequest"]);
  assert.match(status.message, /claim "cores" at \/var\/coredump in container "app".* volume "scratch"/);
});

for (const [on, text] of [
  ["no annotation", REVIEWS.get("no-annotation") ?? ""],
  ["an empty annotation", REVIEWS.get("empty-annotation") ?? ""],
  ["an update", changed({ operation: "UPDATE" })],
  ["a deletion, which has no object", changed({ operation: "DELETE", object: null })],
  ["another resource", changed({ resource: { group: "apps", version: "v1", resource: "deployments" } })],
  ["pods of another group", changed({ resource: { group: "example.com", version: "v1", resource: "pods" } })],
  ["pods of another version", changed({ resource: { group: "", version: "v2", resource: "pods" } })],
  ["a subresource", changed({ subResource: "ephemeralcontainers" })],
  ["no resource", changed({ resource: undefined })],
] as const)
  test(`answerReview() allows ${on} as it is`, () => {
    assert.deepEqual(answerTo(text).response, { uid: JSON.parse(text).request.uid, allowed: true });
  });

for (const [on, text] of [
  ["no JSON", "{"],
  ["nothing", ""],
  ["null", "null"],
  ["a list", "[]"],
  ["text", '"AdmissionReview"'],
  ["another kind", changed({}, { kind: "Pod" })],
  ["a version that we do not speak", changed({}, { apiVersion: "admission.k8s.io/v2" })],
  ["no version", changed({}, { apiVersion: undefined })],
  ["no request", JSON.stringify({ ...parsed, request: undefined })],
  ["no uid", changed({ uid: "" })],
  ["a new pod that is none", changed({ object: null })],
  ["a new pod that is a list", changed({ object: [] })],
  ["too deep for anybody", "[".repeat(1_000_000)],
] as const)
  test(`answerReview() does not allow ${on}`, () =>
    assert.throws(() => answerReview(text), { name: "DumpError", code: "API_INVALID", message: /^Cannot decode/ }));

for (const [on, object] of [
  ["no metadata", {}],
  ["annotations that are none", { metadata: { annotations: "x" } }],
  ["an annotation that is no text", { metadata: { annotations: { "coredump.fujitsu.com/pvcname": 7 } } }],
  ["lists that are none", { metadata: parsed.request.object.metadata, spec: { containers: {}, volumes: "x" } }],
  ["no spec", { metadata: parsed.request.object.metadata }],
  [
    "__proto__",
    JSON.parse('{ "metadata": { "__proto__": { "annotations": { "coredump.fujitsu.com/pvcname": "x" } } } }'),
  ],
] as const)
  test(`answerReview() survives a pod with ${on}`, () =>
    assert.equal(answerTo(changed({ object })).response.allowed, true));
