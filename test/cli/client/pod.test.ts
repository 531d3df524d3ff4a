import assert from "node:assert/strict";
import { test } from "node:test";
import { referencesOf } from "../../../src/cli/client/debug/engine.ts";
import { podFor, pullableReferences } from "../../../src/cli/client/debug/pod.ts";
import { coredump } from "../kubectl/coredumps.ts";

test("podFor() makes a pod that Pod Security `restricted` admits, without a token, that goes with its Coredump", () => {
  const wish = {
    gdbImage: "tools/gdb:1",
    reference: "shop/server@sha256:1",
    coreBytes: 1 << 30,
    pullSecrets: [{ name: "s" }],
  };
  // biome-ignore lint/suspicious/noExplicitAny: looked at as a whole
  const { metadata, spec } = podFor(coredump("web-0"), wish) as any;
  assert.deepEqual(metadata.ownerReferences, [
    { apiVersion: "coredump.fujitsu.com/v1", kind: "Coredump", name: "web-0", uid: "uid-web-0" },
  ]);
  assert.equal(spec.automountServiceAccountToken, false);
  assert.deepEqual(spec.securityContext.seccompProfile, { type: "RuntimeDefault" });
  const [container] = spec.containers;
  assert.equal(spec.containers.length, 1); // the crashed image is never one of them
  assert.deepEqual(container.securityContext.capabilities, { drop: ["ALL"] });
  assert.deepEqual(spec.volumes[0].image, { reference: "shop/server@sha256:1", pullPolicy: "IfNotPresent" });
  assert.ok(Number(spec.volumes[1].emptyDir.sizeLimit) > 1 << 30);
});

const D = `sha256:${"a".repeat(64)}`;
const images: readonly { name: string | undefined; digest: string | undefined; want: readonly string[] }[] = [
  {
    name: "r.example:5000/shop/server:1.2",
    digest: D,
    want: [`r.example:5000/shop/server@${D}`, D, "r.example:5000/shop/server:1.2"],
  },
  { name: `shop/server@${D}`, digest: D, want: [`shop/server@${D}`, D] },
  { name: "shop/server", digest: undefined, want: ["shop/server"] },
  { name: undefined, digest: D, want: [D] },
  { name: "--privileged", digest: "sha256:x", want: [] }, // no option of an engine
  { name: "a b;c", digest: undefined, want: [] },
  { name: undefined, digest: undefined, want: [] },
];
for (const { name, digest, want } of images)
  test(`referencesOf() ${name} and ${digest?.slice(0, 10)}`, () =>
    assert.deepEqual(referencesOf({ name, digest }), want));

const pullable: readonly { on: string; imageId: string | undefined; want: readonly string[] }[] = [
  { on: "from a registry", imageId: `shop/server@${D}`, want: [`shop/server@${D}`, "shop/server:1"] },
  { on: "brought to the node by itself", imageId: D, want: ["shop/server:1"] },
  { on: "the same, by cri-dockerd", imageId: `docker://${D}`, want: ["shop/server:1"] },
  { on: "whose pod is gone", imageId: undefined, want: [`shop/server@${D}`, "shop/server:1"] },
  { on: "that changed since", imageId: `sha256:${"b".repeat(64)}`, want: [`shop/server@${D}`, "shop/server:1"] },
];
for (const { on, imageId, want } of pullable)
  test(`pullableReferences() of an image ${on}`, () =>
    assert.deepEqual(pullableReferences({ name: "shop/server:1", digest: D }, imageId), want));
