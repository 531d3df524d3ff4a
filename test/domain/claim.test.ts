import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CLAIM_ANNOTATION, claimMountOf, claimOf, placeOf, volumeNameFor } from "../../src/domain/claim.ts";

const pod = (spec: object, claim = "cores") => ({
  metadata: { name: "web-0", annotations: { [CLAIM_ANNOTATION]: claim } },
  spec,
});

test("claimOf() takes an empty annotation for none", () => {
  assert.equal(claimOf(pod({})), "cores");
  assert.equal(claimOf(pod({}, "")), undefined);
  assert.equal(claimOf({}), undefined);
});

for (const [path, want] of [
  ["/var/coredump", "at"],
  ["/var/coredump/", "at"],
  ["//var/./coredump//", "at"],
  ["/var/log/../coredump", "at"],
  ["var/coredump", "at"], // the kubelet puts the slash before it
  ["/../var/coredump", "at"],
  ["/var/coredump/deep/er", "below"],
  ["/var/coredump/../coredump/x/", "below"],
  ["/var/coredumps", "elsewhere"],
  ["/var/coredump/..", "elsewhere"],
  ["/var", "elsewhere"],
  ["/Var/coredump", "elsewhere"],
  ["", "elsewhere"],
] as const)
  test(`placeOf() takes ${JSON.stringify(path)} for ${want}`, () => assert.equal(placeOf(path), want));

for (const [claim, want] of [
  ["cores", "coredump-cores"],
  ["c".repeat(54), `coredump-${"c".repeat(54)}`],
  ["c".repeat(55), /^coredump-c{41}-[0-9a-f]{12}$/],
  ["my.claim", /^coredump-my-claim-[0-9a-f]{12}$/],
  [`a.${"-".repeat(60)}`, /^coredump-a-[0-9a-f]{12}$/],
  ["Größe", /^coredump-gr-e-[0-9a-f]{12}$/],
  ["...", /^coredump-[0-9a-f]{12}$/],
] as const)
  test(`volumeNameFor() of ${claim}`, () => {
    if (typeof want === "string") assert.equal(volumeNameFor(claim), want);
    else assert.match(volumeNameFor(claim), want);
  });

test("volumeNameFor() is a DNS label, always the same, told apart by the claim, and free", () => {
  const claims = fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9.-]{0,253}$/));
  fc.assert(
    fc.property(claims, claims, (one, other) => {
      const names = [volumeNameFor(one), volumeNameFor(other)];
      assert.equal(names[0] === names[1], one === other);
      for (let more = 0; more < 12; more++) names.push(volumeNameFor(one, names));
      for (const name of names) assert.match(name, /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
      assert.equal(new Set(names.slice(1)).size, names.length - 1);
      assert.equal(volumeNameFor(one), names[0]);
    }),
  );
});

test("claimMountOf() finds the mount by the volume's claim, whatever its name", () => {
  const spec = {
    volumes: [{ name: "mine", persistentVolumeClaim: { claimName: "cores" } }, { name: "tmp" }],
    initContainers: [
      { name: "setup", volumeMounts: [{ name: "mine", mountPath: "/var/coredump", subPath: "web-0/setup" }] },
    ],
    containers: [
      {
        name: "app",
        volumeMounts: [
          { name: "tmp", mountPath: "/tmp" },
          { name: "mine", mountPath: "/data" },
          { name: "mine", mountPath: "/var/coredump/", subPathExpr: "$(POD)/app" },
        ],
      },
      { name: "whole", volumeMounts: [{ name: "mine", mountPath: "/var/coredump" }] }, // not by a sub path: not ours
      { name: "other", volumeMounts: [{ name: "tmp", mountPath: "/var/coredump", subPath: "x" }] },
      { name: "none" },
    ],
  };
  const found = (container: string, claim?: string) => {
    const { claim: whose, volume, index } = claimMountOf(pod(spec, claim), container) ?? {};
    return whose === undefined ? undefined : [whose, volume, index];
  };
  assert.deepEqual(found("app"), ["cores", "mine", 2]);
  assert.deepEqual(found("setup"), ["cores", "mine", 0]);
  for (const container of ["whole", "other", "none", "absent"]) assert.equal(found(container), undefined, container);
  assert.equal(found("app", "another"), undefined);
  assert.equal(claimMountOf(pod({}), "app"), undefined);
  assert.equal(claimMountOf({}, "app"), undefined);
});
