import assert from "node:assert/strict";
import { test } from "node:test";
import { candidatesFrom } from "../../../src/node/identity/cgroup.ts";
import { owns } from "../../../src/node/identity/own-cgroup.ts";

const ID = "06ad9f946097e3c8ce2f7fb0b5f71cb4cdeb39a2c7df68548d00c1946bc24bf9";
const VICTIM = "1577f81bb6ba1332e7153d8bab33c0390efddf4a512f785bb9ca26a77522b7ed";
const U = "8446fcc3_9d5a_46e3_ba0c_9de50beb4936";
const POD = { namespace: "shop", name: "web-0", uid: U.replaceAll("_", "-") };
const SLICE = `kubepods-burstable-pod${U}.slice`;
const SLICES = `/kubepods.slice/kubepods-burstable.slice/${SLICE}`;

interface Case {
  on: string;
  seen: string;
  stated: string | null;
  id?: string;
  pod?: typeof POD;
}
const its: Case[] = [
  { on: "the same path", seen: `/docker/${ID}`, stated: `/docker/${ID}` },
  { on: "one above: systemd in the container", seen: `/docker/${ID}/init.scope`, stated: `/docker/${ID}` },
  {
    on: "systemd's form",
    seen: `${SLICES}/cri-containerd-${ID}.scope`,
    stated: `${SLICE}:cri-containerd:${ID}`,
    pod: POD,
  },
  {
    on: "systemd's form, delegated",
    seen: `${SLICES}/crio-${ID}.scope/container`,
    stated: `${SLICE}:crio:${ID}`,
    pod: POD,
  },
  { on: "systemd's default slice", seen: `/system.slice/docker-${ID}.scope`, stated: `system.slice:docker:${ID}` },
  { on: "systemd's root slice", seen: `/docker-${ID}.scope`, stated: `-.slice:docker:${ID}` },
  {
    on: "a slice without systemd",
    seen: `/${SLICE}:cri-containerd:${ID}`,
    stated: `${SLICE}:cri-containerd:${ID}`,
    pod: POD,
  },
  {
    on: "a slice without systemd, below the engine's own cgroup",
    seen: `/system.slice/containerd.service/${SLICE}:cri-containerd:${ID}`,
    stated: `${SLICE}:cri-containerd:${ID}`,
    pod: POD,
  },
  { on: "nothing stated, and nobody above who could have made it up", seen: `/docker/${ID}`, stated: null },
  { on: "nothing stated, Docker's default with systemd", seen: `/system.slice/docker-${ID}.scope`, stated: null },
  { on: "nothing stated, a pod's", seen: `${SLICES}/docker-${ID}.scope`, stated: null, pod: POD },
  {
    on: "nothing stated, a pod's below the kubelet's root",
    seen: `/kubelet/kubepods/pod${POD.uid}/${ID}`,
    stated: null,
    pod: POD,
  },
  { on: "nothing stated, with names below", seen: `/docker/${ID}/docker/${VICTIM}`, stated: null },
];
const notIts: Case[] = [
  {
    on: "a victim's name below the own cgroup",
    seen: `/docker/${ID}/${VICTIM}`,
    stated: `/docker/${VICTIM}`,
    id: VICTIM,
  },
  {
    on: "a victim's whole path below the own cgroup",
    seen: `/docker/${ID}/docker/${VICTIM}`,
    stated: `/docker/${VICTIM}`,
    id: VICTIM,
  },
  { on: "the same, nothing stated", seen: `/docker/${ID}/docker/${VICTIM}`, stated: null, id: VICTIM },
  {
    on: "a victim's slice below the own cgroup",
    seen: `/docker/${ID}/${SLICE}:cri-containerd:${VICTIM}`,
    stated: `${SLICE}:cri-containerd:${VICTIM}`,
    id: VICTIM,
  },
  {
    on: "a victim's slice in a user's session",
    seen: `/user.slice/user-1000.slice/user@1000.service/${SLICE}:cri-containerd:${VICTIM}`,
    stated: `${SLICE}:cri-containerd:${VICTIM}`,
    id: VICTIM,
  },
  ...[
    `/user.slice/user-1000.slice/user@1000.service/${VICTIM}`,
    `/user.slice/user-1000.slice/user@1000.service/docker/${VICTIM}`,
    `/user.slice/user-1000.slice/user@1000.service/user.slice/docker-${VICTIM}.scope`,
    `/system.slice/delegated.service/docker/${VICTIM}`,
    `/system.slice/delegated.service/docker-${VICTIM}.scope`,
    `/${VICTIM}`,
  ].map((seen) => ({
    on: `a name that a user made (${seen.replace(VICTIM, "id")}), nothing stated`,
    seen,
    stated: null,
    id: VICTIM,
  })),
  ...["/user.slice/user-1000.slice/user@1000.service", "/system.slice/delegated.service"].map((above) => ({
    on: `a pod's name that a user made below ${above}, nothing stated`,
    seen: `${above}/kubepods/pod${POD.uid}/${VICTIM}`,
    stated: null,
    id: VICTIM,
    pod: POD,
  })),
  { on: "a pod's name without its uid, nothing stated", seen: `/kubepods/x/${ID}`, stated: null, pod: POD },
  { on: "a path that only begins alike", seen: `/docker/${ID}`, stated: `/dock` },
  { on: "a stated path without the id", seen: `/docker/${ID}`, stated: "/docker" },
  { on: "a stated root", seen: `/docker/${ID}`, stated: "/" },
  {
    on: "another pod's uid in the path",
    seen: `/kubepods/pod${POD.uid}/${ID}`,
    stated: `/kubepods/pod${POD.uid}/${ID}`,
    pod: { ...POD, uid: "other" },
  },
  { on: "another slice", seen: `${SLICES}/cri-containerd-${ID}.scope`, stated: `kubepods.slice:cri-containerd:${ID}` },
];
const verdict = ({ seen, stated, id = ID, pod }: Case): boolean => {
  const candidate = candidatesFrom(`0::${seen}\n`).find((each) => each.id === id) ?? assert.fail("no candidate");
  return owns({ cgroupPath: stated, pod: pod ?? null }, candidate);
};
for (const each of its) test(`owns() believes ${each.on}`, () => assert.equal(verdict(each), true));
for (const each of notIts) test(`owns() does not believe ${each.on}`, () => assert.equal(verdict(each), false));
