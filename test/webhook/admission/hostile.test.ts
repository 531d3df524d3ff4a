/**
 * No pod costs the webhook much, whatever is in it: processor time of this thread alone, the least of several tries. (The
 * house rule that no test asserts a time has this one exception; test/api/server/hostile.test.ts says why.)
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CLAIM_ANNOTATION, volumeNameFor } from "../../../src/domain/claim.ts";
import { answerReview } from "../../../src/webhook/admission/review.ts";

const MOST_MS = 250;
const TRIES = 4;
const BYTES = 3_000_000;

const many = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));
const review = (pod: object, claim = "cores", more: object = {}): string =>
  JSON.stringify({
    ...{ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" },
    request: {
      ...{ uid: "u", operation: "CREATE", namespace: "n", resource: { group: "", version: "v1", resource: "pods" } },
      object: { metadata: { generateName: "a-", annotations: { [CLAIM_ANNOTATION]: claim }, ...more }, spec: pod },
    },
  });
const container = (more: object, name = "a") => ({ name, ...more });
const podOf = (more: object) => review({ containers: [container(more)] });
const WORD = "COREDUMP_POD_NAME";
const volumeName = volumeNameFor("cores");
const at = (subPathExpr: string) => ({ name: volumeName, mountPath: "/var/coredump", subPathExpr });

const cases: Readonly<Record<string, string>> = {
  "arguments of our variable's names": podOf({ args: many(90_000, (at) => `$(${WORD}_${at})`) }),
  "one argument of our variable's names": podOf({ args: [many(100_000, (at) => `${WORD}_${at}`).join("")] }),
  "an argument of digits": podOf({ args: [`${WORD}_${"9".repeat(BYTES)}`] }),
  "an argument of our word, again and again": podOf({ args: [WORD.repeat(BYTES / WORD.length)] }),
  "variables of our names": podOf({ env: many(30_000, (at) => ({ name: `${WORD}_${at}`, value: "" })) }),
  "variables that refer to our names": podOf({ env: many(30_000, (at) => ({ name: "X", value: `${WORD}_${at}` })) }),
  "variables and mounts that ask for each": podOf({
    env: many(12_000, (at) => ({ name: `V${at}`, value: "x" })),
    volumeMounts: many(12_000, () => at("$(V11999)/a")),
  }),
  "volumes of our names": review({
    volumes: many(40_000, (at) => ({ name: at < 2 ? volumeName : `${volumeName}-${at}`, emptyDir: {} })),
    containers: [container({})],
  }),
  "volumes of the claim, and mounts": review({
    volumes: many(15_000, (at) => ({ name: `v${at}`, persistentVolumeClaim: { claimName: "cores" } })),
    containers: [container({ volumeMounts: many(15_000, () => at("$(X)/b")) })],
  }),
  "mounts of long paths": podOf({ volumeMounts: many(2000, () => ({ name: "x", mountPath: "/a/..".repeat(300) })) }),
  "one mount of a long path": podOf({
    volumeMounts: [{ name: "x", mountPath: `/var/coredump/${"a/".repeat(BYTES / 2)}` }],
  }),
  containers: review({ containers: many(30_000, (at) => container({}, `${at}`)) }),
  "as many containers as may be": review({
    containers: many(1000, (at) => container({ args: [WORD.repeat(100)] }, `${at}`)),
  }),
  "a long name, and containers": review({ containers: many(1000, (at) => container({}, `${at}`)) }, "cores", {
    name: "n".repeat(BYTES / 2),
  }),
  "a long claim": review({ containers: [container({})] }, "c.".repeat(BYTES / 2)),
  "lists in lists": "[".repeat(BYTES),
  objects: `[${"{},".repeat(BYTES / 3)}{}]`,
  "fields of one name": `{${'"a":1,'.repeat(BYTES / 6)}"a":1}`,
};

for (const [on, text] of Object.entries(cases))
  test(`answerReview() is quick with ${on}`, () => {
    assert.ok(text.length <= 3 << 20, `${text.length}`);
    const body = Buffer.from(text);
    let least = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < TRIES && least > MOST_MS; tries++) {
      const before = process.threadCpuUsage();
      let answered = "";
      try {
        answered = JSON.stringify(answerReview(body).review);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "API_INVALID");
      }
      const { user, system } = process.threadCpuUsage(before);
      least = Math.min(least, (user + system) / 1000);
      assert.ok(answered.length < 1 << 20, `an answer of ${answered.length} bytes`);
    }
    assert.ok(least <= MOST_MS, `${Math.round(least)} ms`);
  });

test("judgePod() leaves a variable alone that any word has in it, also as the begin of a longer one", () => {
  const words = [`$(${WORD}_23)`, `${WORD}_3x`];
  const { response } = answerReview(podOf({ args: words })).review as { response: { patch: string } };
  const additions = JSON.parse(Buffer.from(response.patch, "base64").toString());
  const names = additions.flatMap(({ path, value }: { path: string; value: { name: string }[] }) =>
    path.endsWith("/env") ? value.map(({ name }) => name) : [],
  );
  assert.deepEqual(names, [`${WORD}_4`]); // _2 begins _23
});
