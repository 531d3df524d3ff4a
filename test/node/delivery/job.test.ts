import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ClaimPod } from "../../../src/domain/claim.ts";
import { deliveredName, mountIn } from "../../../src/node/delivery/job.ts";

const ID = "019e0000-0000-7000-8000-111122223333";
const dumptime = "2026-11-21T07:21:03.512Z";

test("deliveredName() says what, when and which", () => {
  assert.equal(deliveredName({ executable: "nginx", dumptime, id: ID }), "core_nginx_20261121T072103512Z_111122223333");
});

test("deliveredName() is one safe name for any executable", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (executable) => {
      const name = deliveredName({ executable, dumptime, id: ID });
      assert.match(name, /^core_[A-Za-z0-9._-]{1,64}_20261121T072103512Z_111122223333$/);
    }),
  );
});

const pod = (mounts: object[], change: object = {}): ClaimPod => ({
  metadata: { annotations: { "coredump.fujitsu.com/pvcname": "cores" } },
  spec: {
    volumes: [{ name: "data" }, { name: "coredump-cores", persistentVolumeClaim: { claimName: "cores" } }],
    initContainers: [{ name: "sidecar", volumeMounts: [AT] }],
    containers: [{ name: "app", volumeMounts: mounts }],
    ...change,
  },
});
const AT = { name: "coredump-cores", mountPath: "/var/coredump", subPath: "web-0/app" };

const cases = [
  { on: "the second mount", pod: pod([{ name: "data", mountPath: "/data" }, AT]), want: 1 },
  { on: "an expression", pod: pod([{ ...AT, subPath: undefined, subPathExpr: "$(NAME)/app" }]), want: 0 },
  { on: "another spelling", pod: pod([{ ...AT, mountPath: "/var//coredump/" }]), want: 0 },
  { on: "an init container", pod: pod([]), container: "sidecar", want: 0 },
  { on: "no such mount", pod: pod([]), want: "NotMounted" },
  { on: "the volume without a sub path", pod: pod([{ ...AT, subPath: undefined }]), want: "NotMounted" },
  { on: "another claim's volume", pod: pod([AT], { volumes: [{ name: "coredump-cores" }] }), want: "NotMounted" },
  { on: "no such container", pod: pod([AT]), container: "other", want: "NotMounted" },
  { on: "a read-only mount", pod: pod([{ ...AT, readOnly: true }]), want: "ReadOnly" },
  { on: "a pod of which nothing is known", pod: {}, want: "NotMounted" },
];

for (const { on, pod, container = "app", want } of cases)
  test(`mountIn() finds ${on}`, () => {
    const find = () => mountIn(pod, "uid-1", container, "/k");
    if (typeof want === "string")
      assert.throws(find, (error: { outcome: object }) => (error.outcome as { reason: string }).reason === want);
    else
      assert.deepEqual(find(), {
        kubeletRoot: "/k",
        podUid: "uid-1",
        container,
        index: want,
      });
  });
