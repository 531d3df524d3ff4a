import assert from "node:assert/strict";
import { readlinkSync } from "node:fs";
import { test } from "node:test";
import { initialMounts, placeOf } from "../../../src/node/identity/host.ts";
import { identifyProcess } from "../../../src/node/identity/identify.ts";
import { NO_PLACES } from "./fixture.ts";

const MOUNTS = ["mnt:[4026531832]"];
const OTHER_MOUNTS = { "ns/mnt": "mnt:[4026532700]" };
const OTHER_PIDS = { ...OTHER_MOUNTS, "ns/pid": "pid:[4026532701]", status: "NSpid:\t100\t1\n" };
const OTHER_USER = { "ns/user": "user:[4026532702]" };

/** A process of pid 1's, but for `change`; undefined: cannot be read. */
const facts = (cgroup: string, change: Readonly<Record<string, string | undefined>> = {}) =>
  new Map(
    Object.entries({
      cgroup: `${cgroup}\n`,
      status: "NSpid:\t100\n",
      root: "/",
      "ns/mnt": MOUNTS[0],
      "ns/pid": "pid:[4026531836]",
      "ns/user": "user:[4026531837]",
      ...change,
    }).flatMap(([name, text]) => (text === undefined ? [] : [[name, Buffer.from(text)] as const])),
  );

const cases: readonly { on: string; cgroup: string; change?: Record<string, string | undefined>; host: boolean }[] = [
  { on: "a service", cgroup: "0::/system.slice/nginx.service", host: true },
  { on: "a login", cgroup: "0::/user.slice/user-1000.slice/session-3.scope", host: true },
  { on: "pid 1's own children", cgroup: "0::/init.scope", host: true },
  { on: "a process in no cgroup", cgroup: "0::/", host: true },
  { on: "a service of its own slice below a delegated cgroup", cgroup: "0::/x.slice/a.service/worker", host: true },
  { on: "a kernel before 4.1, without NSpid", cgroup: "0::/", change: { status: "Uid:\t0\n" }, host: true },
  { on: "a sandbox that only maps users", cgroup: "0::/system.slice/a.service", change: OTHER_USER, host: true },
  { on: "a service with PrivateTmp=", cgroup: "0::/system.slice/nginx.service", change: OTHER_MOUNTS, host: true },
  {
    on: "the same on cgroup v1",
    cgroup: "4:memory:/\n1:name=systemd:/system.slice/a.service\n0::/",
    change: OTHER_MOUNTS,
    host: true,
  },
  { on: "the same in a slice of its own", cgroup: "0::/db.slice/pg@15.service", change: OTHER_MOUNTS, host: true },
  {
    on: "a login with mounts of its own",
    cgroup: "0::/user.slice/user-0.slice/session-1.scope",
    change: OTHER_MOUNTS,
    host: true,
  },
  { on: "unshare -m in a shell of no cgroup", cgroup: "4:memory:/x\n0::/", change: OTHER_MOUNTS, host: true },
  { on: "LXC, Incus", cgroup: "0::/lxc.payload.web01/system.slice/nginx.service", change: OTHER_PIDS, host: false },
  {
    on: "systemd-nspawn",
    cgroup: "0::/machine.slice/machine-web01.scope/payload/system.slice/a.service",
    change: OTHER_PIDS,
    host: false,
  },
  { on: "`ctr run IMAGE name`", cgroup: "0::/default/mycontainer", change: OTHER_PIDS, host: false },
  { on: "the same with the host's pids", cgroup: "0::/default/mycontainer", change: OTHER_MOUNTS, host: false },
  {
    on: "the same with systemd's cgroups",
    cgroup: "0::/system.slice/ctr-web.scope",
    change: OTHER_MOUNTS,
    host: false,
  },
  { on: "BuildKit", cgroup: "0::/docker/buildkit/x7k2p0abcdefghijklmnopqrs", change: OTHER_PIDS, host: false },
  { on: "Garden", cgroup: "0::/system.slice/garden.service/garden/good/4c9e", change: OTHER_MOUNTS, host: false },
  { on: "Nomad", cgroup: "0::/nomad.slice/share.slice/4c9e.web.scope", change: OTHER_MOUNTS, host: false },
  {
    on: "rootless podman with the host's pids",
    cgroup: "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-web.scope",
    change: { ...OTHER_MOUNTS, ...OTHER_USER },
    host: false,
  },
  { on: "a service in pids of its own", cgroup: "0::/system.slice/a.service", change: OTHER_PIDS, host: false },
  {
    on: "another root in the host's mounts",
    cgroup: "0::/system.slice/a.service",
    change: { root: "/srv/jail" },
    host: false,
  },
  {
    on: "a pid namespace that cannot be read",
    cgroup: "0::/system.slice/a.service",
    change: { "ns/pid": undefined },
    host: false,
  },
];
for (const { on, cgroup, change = {}, host } of cases) {
  test(`${on}: ${host ? "the host's own" : "a container that no engine names, with its cgroup"}`, () => {
    const { owner, container, identity } = identifyProcess(facts(cgroup, change), {} as never, MOUNTS, NO_PLACES);
    assert.deepEqual([owner, container], [host ? "host" : "unknown", null]);
    assert.equal(identity.problem, host ? null : "no engine names its container");
    assert.ok(identity.cgroup && cgroup.includes(`:${identity.cgroup}`));
  });
}

test("an engine's id in the cgroup is asked for whatever the namespaces are", () => {
  const id = "ab".repeat(32);
  const found = identifyProcess(facts(`0::/docker/${id}`, OTHER_PIDS), {} as never, MOUNTS, NO_PLACES);
  assert.deepEqual([found.owner, found.container?.id], ["unknown", id]);
});

test("of a recorded crash nobody knows the host's mounts: pids and root decide", () => {
  assert.equal(placeOf(facts("0::/x", OTHER_MOUNTS), undefined).isHost, true);
  assert.equal(placeOf(facts("0::/x", OTHER_PIDS), undefined).isHost, false);
});

test("initialMounts() reads our own", () => assert.ok(initialMounts().includes(readlinkSync("/proc/self/ns/mnt"))));
