/** What holds of any pod. The same pods go to a real API server in test/e2e/cluster/webhook-any-pod.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ClaimPod, claimMountOf, claimOf } from "../../../src/domain/claim.ts";
import { judgePod } from "../../../src/webhook/admission/patch.ts";
import { additionsTo, patched, without } from "./pods.ts";
import { randomPod } from "./random-pods.ts";

const containersOf = ({ spec }: ClaimPod) => [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];

test("judgePod(): every container of any pod has its own directory of the claim, or the pod is denied", () => {
  const counts = { served: 0, denied: 0 };
  const property = fc.property(randomPod, (pod: ClaimPod) => {
    const additions = additionsTo(pod);
    if (typeof additions === "string") {
      counts.denied++;
      return assert.match(additions, /^Cannot /);
    }
    counts.served++;
    const whole = patched(pod, additions);
    const directories = containersOf(whole).map(({ name = "" }) => {
      const { claim, volume, mount } = claimMountOf(whole, name) ?? assert.fail(`${name} has no mount`);
      assert.equal(claim, claimOf(pod));
      assert.ok(whole.spec?.volumes?.some((each) => each.name === volume));
      return mount.subPath ?? mount.subPathExpr;
    });
    assert.equal(new Set(directories).size, directories.length);
    assert.equal(whole.spec?.nodeSelector?.["coredump"], "true");
  });
  fc.assert(property, { numRuns: 500 });
  assert.ok(counts.served > 100 && counts.denied > 20, JSON.stringify(counts));
});

test("judgePod() only adds: what any pod had is there, where it was", () => {
  const property = fc.property(randomPod, (pod: ClaimPod) => {
    const additions = additionsTo(pod);
    if (typeof additions === "string") return;
    assert.deepEqual(without(patched(pod, additions), pod), pod);
    assert.equal(new Set(additions.map(({ path }) => path)).size, additions.length); // none twice
  });
  fc.assert(property, { numRuns: 500 });
});

test("judgePod() of what it made of any pod finds nothing to do", () => {
  const property = fc.property(randomPod, fc.boolean(), (pod: ClaimPod, isNamedNow) => {
    const additions = additionsTo(pod);
    if (typeof additions === "string") return;
    const { metadata, ...rest } = patched(pod, additions);
    const name = metadata?.name ?? (isNamedNow ? "made-x2x4z" : undefined);
    assert.deepEqual(judgePod({ ...rest, metadata: { ...metadata, ...(name && { name }) } }), { kind: "untouched" });
  });
  fc.assert(property, { numRuns: 500 });
});
