import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { candidatesFrom, isOutermost, namesNoContainer } from "../../../src/node/identity/cgroup.ts";

const ID = "06ad9f946097e3c8ce2f7fb0b5f71cb4cdeb39a2c7df68548d00c1946bc24bf9";
const OUTER = "1577f81bb6ba1332e7153d8bab33c0390efddf4a512f785bb9ca26a77522b7ed";
const UID = "8446fcc3-9d5a-46e3-ba0c-9de50beb4936";
const UID_ = UID.replaceAll("-", "_");
const HASH = "0123456789abcdef0123456789abcdef";
const SLICE = `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID_}.slice`;

const cases: { on: string; cgroup: string; want: [id: string, hint: string | null, podUid: string | null][] }[] = [
  { on: "v2, containerd, cgroupfs", cgroup: `0::/kubepods/burstable/pod${UID}/${ID}`, want: [[ID, null, UID]] },
  { on: "a guaranteed pod", cgroup: `0::/kubepods/pod${UID}/${ID}`, want: [[ID, null, UID]] },
  { on: "v2, containerd, systemd", cgroup: `0::${SLICE}/cri-containerd-${ID}.scope`, want: [[ID, "containerd", UID]] },
  { on: "CRI-O, systemd", cgroup: `0::${SLICE}/crio-${ID}.scope`, want: [[ID, "cri-o", UID]] },
  { on: "CRI-O below its scope", cgroup: `0::${SLICE}/crio-${ID}.scope/container`, want: [[ID, "cri-o", UID]] },
  { on: "CRI-O, cgroupfs", cgroup: `0::/kubepods/besteffort/pod${UID}/crio-${ID}`, want: [[ID, "cri-o", UID]] },
  { on: "cri-dockerd, systemd", cgroup: `0::${SLICE}/docker-${ID}.scope`, want: [[ID, "docker", UID]] },
  { on: "docker, cgroupfs", cgroup: `0::/docker/${ID}`, want: [[ID, "docker", null]] },
  { on: "docker, systemd", cgroup: `0::/system.slice/docker-${ID}.scope`, want: [[ID, "docker", null]] },
  { on: "podman", cgroup: `0::/machine.slice/libpod-${ID}.scope/container`, want: [[ID, "podman", null]] },
  { on: "podman, cgroupfs", cgroup: `0::/libpod_parent/libpod-${ID}`, want: [[ID, "podman", null]] },
  { on: "nerdctl", cgroup: `0::/system.slice/nerdctl-${ID}.scope`, want: [[ID, "containerd", null]] },
  {
    on: "a slice for an engine without systemd, below the engine's own cgroup",
    cgroup: `4:memory:/system.slice/containerd.service/kubepods-burstable-pod${UID_}.slice:cri-containerd:${ID}`,
    want: [[ID, "containerd", UID]],
  },
  {
    on: "a static pod: its uid is a hash",
    cgroup: `0::/kubepods.slice/kubepods-pod${HASH}.slice/cri-containerd-${ID}.scope`,
    want: [[ID, "containerd", HASH]],
  },
  {
    on: "kind, cgroupfs: innermost first",
    cgroup: `0::/docker/${OUTER}/kubelet/kubepods/besteffort/pod${UID}/${ID}`,
    want: [
      [ID, null, UID],
      [OUTER, "docker", null],
    ],
  },
  {
    on: "kind, systemd",
    cgroup: `0::/system.slice/docker-${OUTER}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${UID_}.slice/cri-containerd-${ID}.scope`,
    want: [
      [ID, "containerd", UID],
      [OUTER, "docker", null],
    ],
  },
  {
    on: "a hybrid hierarchy, where only one line names the container",
    cgroup: `9:name=systemd:/\n4:memory:/system.slice/containerd.service\n0::/kubepods/pod${UID}/${ID}`,
    want: [[ID, null, UID]],
  },
  {
    on: "two depths in two hierarchies: innermost first whatever the order of the lines",
    cgroup: `2:cpu:/docker/${OUTER}\n1:memory:/docker/${OUTER}/docker/${ID}`,
    want: [
      [ID, "docker", null],
      [OUTER, "docker", null],
      [OUTER, "docker", null],
    ],
  },
  {
    on: "v1: the same path in all hierarchies counts once",
    cgroup: `2:cpu:/docker/${ID}\n1:pids:/docker/${ID}`,
    want: [[ID, "docker", null]],
  },
  { on: "a cgroup that was removed", cgroup: `0::/docker/${ID} (deleted)`, want: [[ID, "docker", null]] },
  { on: "63 digits", cgroup: `0::/docker/${ID.slice(1)}`, want: [] }, // one short: not an id
  { on: "65 digits", cgroup: `0::/docker/0${ID}`, want: [] },
  { on: "capital digits, which no engine writes", cgroup: `0::/docker/${ID.toUpperCase()}`, want: [] },
  { on: "CRI-O's monitor, a host process", cgroup: `0::/machine.slice/crio-conmon-${ID}.scope`, want: [] },
  { on: "podman's monitor", cgroup: `0::/machine.slice/libpod-conmon-${ID}.scope`, want: [] },
  { on: "podman's pod, a slice", cgroup: `0::/machine.slice/machine-libpod_pod_${ID}.slice`, want: [] },
  { on: "a host service", cgroup: "0::/system.slice/ssh.service", want: [] },
  { on: "a colon in a name", cgroup: `0::/a:b/docker/${ID}`, want: [[ID, "docker", null]] },
];
for (const { on, cgroup, want } of cases) {
  test(`candidatesFrom() reads ${on}`, () => {
    const found = candidatesFrom(Buffer.from(`${cgroup}\n`));
    assert.deepEqual(
      found.map(({ id, hint, podUid }) => [id, hint, podUid]),
      want,
    );
    assert.equal(namesNoContainer(`${cgroup}\n`), want.length === 0);
  });
}

test("namesNoContainer() does not say host when nothing was read", () => {
  for (const nothing of ["", "\n", "nonsense", "0:/docker"]) assert.equal(namesNoContainer(nothing), false);
});

const hex64 = fc.stringMatching(/^[0-9a-f]{64}$/);
const name = fc.oneof(
  hex64,
  hex64.map((id) => `cri-containerd-${id}.scope`),
  fc.stringMatching(/^[^\n/]{1,20}$/),
  fc.constantFrom("docker", "..", ".", "", `pod${UID}`, `kubepods-pod${UID_}.slice`),
);
const path = fc.array(name, { maxLength: 80 }).map((names) => `/${names.join("/")}`);
const line = fc
  .tuple(fc.nat(99), fc.constantFrom("", "cpu,cpuacct", "name=systemd"), path)
  .map((fields) => fields.join(":"));

test("candidatesFrom() takes any file: each id stands in its path, outermost ones are found, the number is bounded", () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 14 }), (lines) => {
      const found = candidatesFrom(lines.join("\n"));
      for (const candidate of found) {
        assert.match(candidate.id, /^[0-9a-f]{64}$/);
        assert.ok(candidate.path.includes(candidate.id));
      }
      assert.ok(found.length <= 8 * lines.length);
      assert.equal(found.length > 0, found.some(isOutermost));
    }),
  );
});

test("candidatesFrom() takes any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void candidatesFrom(bytes)));
});

test("candidatesFrom() finds the container however deep one nests made-up names below it", () => {
  const fakes = Array.from({ length: 60 }, (_, at) => `${at}`.padStart(64, "f")).join("/");
  assert.ok(candidatesFrom(`0::/docker/${ID}/${fakes}\n`).some(({ id }) => id === ID));
});
