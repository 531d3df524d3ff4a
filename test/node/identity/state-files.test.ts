import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { identifyQuickly } from "../../../src/node/identity/identify.ts";
import { fromStateFiles } from "../../../src/node/identity/state-files.ts";
import { type Captured, captured, NO_PLACES } from "./fixture.ts";

const quick = (from: Captured) => identifyQuickly(from.cgroup, {} as never, from.places);

const POD = { namespace: "shop", name: "web-0" };
const cases = [
  { on: "containerd-1.6-systemd", owner: "pod", runtime: "containerd", name: "app", pod: POD },
  { on: "containerd-2-cgroupfs", owner: "pod", runtime: "containerd", name: "app", pod: POD },
  { on: "containerd-2-slice-without-systemd", owner: "pod", runtime: "containerd", name: "app", pod: POD },
  { on: "containerd-2-v2", owner: "pod", runtime: "containerd", name: "app", pod: POD },
  { on: "docker-cgroupfs", owner: "docker", runtime: "docker", name: "web", pod: undefined },
  { on: "docker-systemd", owner: "docker", runtime: "docker", name: "web", pod: undefined },
  { on: "crio-systemd", owner: "pod", runtime: "cri-o", name: "app", pod: POD },
  { on: "podman-cgroupfs", owner: "container", runtime: "podman", name: "web", pod: undefined },
];
for (const { on, owner, runtime, name, pod } of cases) {
  test(`identifyQuickly() names the owner from the state files of ${on}`, () => {
    using from = captured(on);
    const found = quick(from);
    assert.equal(found.owner, owner, found.identity.problem ?? "");
    assert.deepEqual({ runtime, name, id: from.id }, picked(found.container, ["runtime", "name", "id"]));
    assert.deepEqual(found.pod && picked(found.pod, ["namespace", "name"]), pod ?? null);
    assert.equal(found.container?.image, "localhost/testbed:1");
    assert.equal(found.identity.source, "state-files");
    assert.equal(found.identity.confirmed, false);
  });
}

function picked(from: object | null, keys: string[]): Record<string, unknown> {
  return Object.fromEntries(keys.map((key) => [key, (from as Record<string, unknown> | null)?.[key]]));
}

test("identifyQuickly() knows labels where the files have them, and else says that it does not", () => {
  using docker = captured("docker-cgroupfs");
  assert.deepEqual(quick(docker).labels, { team: "shop" });
  using crio = captured("crio-systemd");
  assert.equal(quick(crio).labels?.["app"], "web"); // the pod's own, from its sandbox
  assert.equal(quick(crio).container?.attempt, 2);
  using containerd = captured("containerd-2-cgroupfs");
  assert.equal(quick(containerd).labels, null);
});

test("identifyQuickly() takes annotations for a pod's in the CRI's namespace alone; nerdctl's are the user's labels", () => {
  const nerdctls = (text: string): string =>
    text.replaceAll("/k8s.io/", "/default/").replaceAll("io.kubernetes.cri.image-name", "nerdctl/name");
  using from = captured("containerd-2-cgroupfs", nerdctls);
  const { owner, pod, container, labels } = quick(from);
  assert.deepEqual([owner, pod, container?.name], ["container", null, "localhost/testbed:1"]);
  assert.equal(labels?.["io.kubernetes.cri.container-name"], "app");
});

test("identifyQuickly() takes the pod's uid from the cgroup where containerd is too old to say it", () => {
  using from = captured("containerd-1.6-systemd", (text) => text.replaceAll("io.kubernetes.cri.sandbox-uid", "x"));
  assert.match(quick(from).pod?.uid ?? "", /^[0-9a-f-]{36}$/);
});

test("identifyQuickly() keeps no environment", () => {
  using from = captured("docker-cgroupfs", (text) => text.replaceAll('"Env": [', '"Env": ["PASSWORD=secret",'));
  assert.doesNotMatch(JSON.stringify(quick(from)), /secret/);
});

test("identifyQuickly() reads Docker's files where the bundle of its containerd is out of sight", () => {
  using from = captured("docker-cgroupfs");
  rmSync(join(from.path, "run"), { recursive: true });
  assert.equal(quick(from).container?.name, "web");
});

test("identifyQuickly() knows a Docker container by its bundle when Docker's own files are gone", () => {
  using from = captured("docker-cgroupfs");
  rmSync(join(from.path, "data"), { recursive: true });
  const { owner, container } = quick(from);
  assert.deepEqual([owner, container?.runtime, container?.name], ["docker", "docker", null]);
});

const KUBERNETES = {
  "io.kubernetes.pod.namespace": "kube-system",
  "io.kubernetes.pod.name": "dns",
  "io.kubernetes.pod.uid": "8446fcc3-9d5a-46e3-ba0c-9de50beb4936",
  "io.kubernetes.container.name": "app",
};
const labelled =
  (parent: string) =>
  (text: string): string =>
    text
      .replaceAll('"team": "shop"', JSON.stringify(KUBERNETES).slice(1, -1))
      .replaceAll("/docker/", `${parent}/`)
      .replaceAll('"CgroupParent": ""', `"CgroupParent": "${parent}"`);

test("identifyQuickly() believes Docker's Kubernetes labels under that pod's cgroup alone: anyone can set them", () => {
  using kubelets = captured("docker-cgroupfs", labelled(`/kubepods/pod${KUBERNETES["io.kubernetes.pod.uid"]}`));
  assert.equal(quick(kubelets).pod?.name, "dns");
  assert.equal(quick(kubelets).labels, null); // those of the pod are its sandbox's, which is not here
  using made = captured("docker-cgroupfs", labelled("/mine"));
  assert.deepEqual([quick(made).owner, quick(made).pod], ["docker", null]);
});

test("identifyQuickly() names the container of a victim's name below the own cgroup, not the victim", () => {
  using from = captured("containerd-2-cgroupfs");
  const victim = readdirSync(join(from.path, "run/io.containerd.runtime.v2.task/k8s.io")).find((id) => id !== from.id);
  const below = Buffer.from(from.cgroup.toString().replaceAll(from.id, `${from.id}/${victim}`));
  const found = identifyQuickly(below, {} as never, from.places);
  assert.equal(found.container?.id, from.id);
});

test("identifyQuickly() trusts no state file of another cgroup, and says so", () => {
  using from = captured("containerd-2-cgroupfs", (text) =>
    text.replaceAll('"cgroupsPath": "/kubepods', '"cgroupsPath": "/other'),
  );
  const found = quick(from);
  assert.deepEqual([found.owner, found.container?.id, found.container?.runtime], ["unknown", from.id, "unknown"]);
  assert.match(found.identity.problem ?? "", /whose own cgroup is another one/);
});

test("identifyQuickly() says unknown, and why, when no file knows the container", () => {
  using from = captured("containerd-2-cgroupfs");
  const found = identifyQuickly(from.cgroup, {} as never, NO_PLACES);
  assert.equal(found.owner, "unknown");
  assert.match(found.identity.problem ?? "", /no state file on this node knows container [0-9a-f]{12}$/);
});

test("identifyQuickly() says host for a host process, and unknown when the cgroup could not be read", () => {
  const of = (text: string) => identifyQuickly(Buffer.from(text), {} as never, NO_PLACES);
  assert.equal(of("0::/system.slice/ssh.service\n").owner, "host");
  assert.equal(of("").owner, "unknown");
  assert.match(of("").identity.problem ?? "", /could not be read/);
});

const fileOf = (from: Captured): string =>
  join(from.path, "run/io.containerd.runtime.v2.task/k8s.io", from.id, "config.json");

const broken: { on: string; lay: (path: string) => void; problem: RegExp }[] = [
  { on: "cut short", lay: (path) => writeFileSync(path, '{"annotations":'), problem: /it is not JSON/ },
  { on: "empty", lay: (path) => writeFileSync(path, ""), problem: /it is not JSON/ },
  { on: "not an object", lay: (path) => writeFileSync(path, "null"), problem: /names no cgroup/ },
  { on: "huge", lay: (path) => writeFileSync(path, " ".repeat((4 << 20) + 1)), problem: /larger than/ },
  { on: "a directory", lay: (path) => mkdirSync(path), problem: /it is not a file/ },
  { on: "a link", lay: (path) => symlinkSync("/etc/passwd", path), problem: /ELOOP/ },
];
for (const { on, lay, problem } of broken) {
  test(`identifyQuickly() goes on without a state file that is ${on}, and says so`, () => {
    using from = captured("containerd-2-cgroupfs");
    rmSync(fileOf(from));
    lay(fileOf(from));
    const found = quick(from);
    assert.equal(found.owner, "unknown");
    assert.match(found.identity.problem ?? "", problem);
  });
}

test("fromStateFiles() takes any JSON for an answer and never throws", () => {
  using from = captured("containerd-2-cgroupfs");
  const files = [
    fileOf(from),
    join(from.path, "data/containers", from.id, "config.v2.json"),
    join(from.path, "data/containers", from.id, "hostconfig.json"),
    join(from.path, "storage/overlay-containers", from.id, "userdata/config.json"),
    join(from.path, "storage/overlay-containers/containers.json"),
  ];
  for (const file of files) mkdirSync(dirname(file), { recursive: true });
  const keys = fc.constantFrom(
    "annotations",
    "linux",
    "cgroupsPath",
    "Config",
    "Labels",
    "ID",
    "root",
    "path",
    "0",
    "__proto__",
    "id",
  );
  const json = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, fc.jsonValue(), fc.dictionary(keys, tie("value")), fc.constant(from.id)),
  })).value;
  fc.assert(
    fc.property(fc.array(json, { minLength: files.length, maxLength: files.length }), (values) => {
      for (const [at, file] of files.entries()) writeFileSync(file, JSON.stringify(values[at]) ?? "null");
      fromStateFiles(from.id, from.places);
    }),
    { numRuns: 60 },
  );
});
