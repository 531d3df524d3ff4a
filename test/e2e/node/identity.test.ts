/** Processes in real containers are told apart by their cgroups: by the state files at once, by the engine's API with proof. */
import assert from "node:assert/strict";
import { readFileSync, renameSync } from "node:fs";
import { test } from "node:test";
import type { NodeSettings } from "../../../src/config/options.ts";
import { CriRuntime } from "../../../src/node/identity/cri.ts";
import { DockerRuntime } from "../../../src/node/identity/docker.ts";
import { identifyByApi, identifyQuickly } from "../../../src/node/identity/identify.ts";
import { logTail } from "../../../src/node/identity/log-tail.ts";
import type { Identification } from "../../../src/node/identity/runtime.ts";
import { assertRuntimeContract, type Known } from "../../contract/runtime.ts";
import type { ContainerSpec, PodSpec } from "../../support/cri.ts";
import { type Cgroups, type Engine, type EngineKind, startEngine } from "../../support/engines.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "testbed");
const IMAGE = "localhost/testbed:1";
const SLEEP = ["/bin/busybox", "sh", "-c", "echo hello; exec /bin/busybox sleep 600"];
const SLICE = "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod<uid>.slice";

const cgroupOf = (pid: string): string => readFileSync(`/proc/${pid}/cgroup`, "latin1");

async function started(
  engine: Engine,
  cgroups: Cgroups,
  spec: PodSpec & ContainerSpec,
): Promise<Known & { podId: string }> {
  const { cri } = engine;
  const pod = await cri.runPod(cgroups === "systemd" ? { cgroupParent: SLICE, ...spec } : spec);
  const id = await cri.runContainer(pod, { command: SLEEP, ...spec });
  const { namespace = "shop", pod: name = "web-0", container = "app", attempt = 0, podLabels: labels = {} } = spec;
  const owner = { owner: "pod", pod: { namespace, name, uid: pod.uid } } as const;
  const want = { ...owner, name: container, attempt, image: IMAGE, labels };
  return { id, podId: pod.id, cgroup: cgroupOf(await taskPid(engine, id)), want };
}

async function taskPid(engine: Engine, id: string): Promise<string> {
  const line = (await engine.client("tasks", "ls")).split("\n").find((each) => each.startsWith(id));
  return line?.split(/\s+/)[1] ?? assert.fail(`no task ${id}`);
}

const settingsOf = ({ kind, socket }: Engine): NodeSettings => ({
  dumpDir: "/nonexistent",
  verbosity: 0,
  ...(kind === "docker" ? { dockerHost: `unix://${socket}` } : { criEndpoint: socket }),
});

/** Both answers, the quick one first; each must be of this container and no other. */
async function identified(settings: NodeSettings, { id, cgroup, want }: Known): Promise<Identification> {
  const bytes = Buffer.from(cgroup, "latin1");
  const quick = identifyQuickly(bytes, settings);
  assert.equal(quick.identity.source, "state-files", `${quick.identity.problem}`);
  const found = await identifyByApi(quick, bytes, settings, AbortSignal.timeout(10_000));
  for (const answer of [quick, found]) {
    assert.equal(answer.owner, want.owner);
    assert.deepEqual(answer.pod, want.pod);
    assert.deepEqual([answer.container?.id, answer.container?.name], [id, want.name]);
  }
  assert.deepEqual([found.identity.confirmed, found.identity.problem], [true, null]);
  assert.equal(found.container?.attempt, want.attempt);
  assert.partialDeepStrictEqual(found.labels, want.labels);
  return found;
}

/** Whose names, namespaces or numbers could be mistaken for another's. */
const PODS: { on: string; spec: PodSpec & ContainerSpec }[] = [
  { on: "a pod", spec: { podLabels: { app: "web", "coredump.fujitsu.com/no-coredump": "true" } } },
  { on: "a second pod of the same name and namespace", spec: {} },
  { on: "a pod of that name in another namespace", spec: { namespace: "bank" } },
  { on: "a pod whose name begins alike", spec: { pod: "web-01" } },
  { on: "a hostPID pod", spec: { pod: "top", hostPid: true } },
  { on: "a pod with a network of its own", spec: { pod: "own", hostNetwork: false } },
  { on: "an init container", spec: { pod: "init", container: "init-db" } },
  { on: "a restarted container", spec: { pod: "again", attempt: 3 } },
];

const cris: [EngineKind, Cgroups][] = [
  ["containerd-1.6", "cgroupfs"],
  ["containerd-1.6", "systemd"],
  ["containerd-2", "cgroupfs"],
  ["containerd-2", "systemd"],
  ["containerd-2", "v2"],
];
for (const [kind, cgroups] of cris) {
  test(`pods are identified in ${kind}, cgroups ${cgroups}`, { skip }, async (t) => {
    await using engine = await startEngine(kind, cgroups);
    const settings = settingsOf(engine);
    const pods = await Promise.all(PODS.map(({ spec }) => started(engine, cgroups, spec)));
    for (const [at, { on }] of PODS.entries()) {
      const known = pods[at] ?? assert.fail();
      await t.test(on, async () => {
        const found = await identified(settings, known);
        assert.match(logTail(found.logPath ?? "", 10).join("\n"), /^\S+ stdout hello$/);
      });
    }
    const [first] = pods;
    assert.ok(first);
    await t.test("the pod's first process", () => sandboxIsIdentified(engine, settings, first));
    await assertRuntimeContract(t, new CriRuntime(engine.socket), first);
    await t.test("without the engine's socket", () => isKnownWithoutSocket(engine, settings, first));
  });
}

async function sandboxIsIdentified(
  engine: Engine,
  settings: NodeSettings,
  { podId: id, want }: Known & { podId: string },
) {
  const cgroup = cgroupOf(await taskPid(engine, id));
  await identified(settings, { id, cgroup, want: { ...want, name: null, attempt: null } });
}

async function isKnownWithoutSocket(engine: Engine, settings: NodeSettings, { cgroup, want }: Known): Promise<void> {
  const bytes = Buffer.from(cgroup, "latin1");
  renameSync(engine.socket, `${engine.socket}.away`);
  const found = await identifyByApi(identifyQuickly(bytes, settings), bytes, settings, AbortSignal.timeout(10_000));
  renameSync(`${engine.socket}.away`, engine.socket);
  assert.deepEqual([found.owner, found.pod, found.identity.confirmed], [want.owner, want.pod, false]);
  assert.match(found.identity.problem ?? "", /there is no such socket/);
}

for (const cgroups of ["cgroupfs", "systemd"] as const) {
  test(`containers are identified in docker, cgroups ${cgroups}`, { skip }, async (t) => {
    await using engine = await startEngine("docker", cgroups);
    const settings = settingsOf(engine);
    const labels = { team: "shop", "io.kubernetes.pod.name": "dns", "io.kubernetes.pod.namespace": "kube-system" };
    const known = await inDocker(engine, "web", ["--label", "team=shop"], { team: "shop" });
    await t.test("a container", async () => {
      const found = await identified(settings, known);
      assert.match(logTail(found.logPath ?? "", 10).join("\n"), /^\S+ stdout hello$/);
    });
    await t.test("one that poses as a pod, outside kubepods", async () => {
      const flags = Object.entries({ ...labels, "io.kubernetes.pod.uid": "u" }).flatMap((label) => [
        "--label",
        label.join("="),
      ]);
      await identified(settings, await inDocker(engine, "posing", flags, labels));
    });
    await t.test("one with the host's pids", async () => {
      await identified(settings, await inDocker(engine, "host", ["--pid", "host"], {}));
    });
    if (cgroups === "cgroupfs") await t.test("one of a kubelet", () => kubeletsDockerIsIdentified(engine, settings));
    await assertRuntimeContract(t, new DockerRuntime(`unix://${engine.socket}`), known);
    await t.test("without the engine's socket", () => isKnownWithoutSocket(engine, settings, known));
  });
}

async function inDocker(engine: Engine, name: string, flags: string[], labels: Record<string, string>): Promise<Known> {
  const id = (await engine.client("run", "-d", "--name", name, "--network", "none", ...flags, IMAGE, ...SLEEP)).trim();
  const cgroup = cgroupOf((await engine.client("inspect", "-f", "{{.State.Pid}}", id)).trim());
  return { id, cgroup, want: { owner: "docker", pod: null, name, attempt: 0, image: IMAGE, labels } };
}

/** As cri-dockerd makes them: the pod's own labels are those of a sandbox, which is a container too. */
async function kubeletsDockerIsIdentified(engine: Engine, settings: NodeSettings): Promise<void> {
  const pod = { namespace: "shop", name: "web-0", uid: "8446fcc3-9d5a-46e3-ba0c-9de50beb4936" };
  const kubelets = Object.entries(pod).flatMap(([key, value]) => ["--label", `io.kubernetes.pod.${key}=${value}`]);
  const parent = ["--cgroup-parent", `/kubepods/besteffort/pod${pod.uid}`];
  const sandbox = await inDocker(
    engine,
    "k8s_POD",
    [...kubelets, ...parent, "--label", "app=web", "--label", "io.kubernetes.docker.type=podsandbox"],
    {},
  );
  const own = ["--label", "io.kubernetes.container.name=app", "--label", `io.kubernetes.sandbox.id=${sandbox.id}`];
  const restarts = ["--label", "annotation.io.kubernetes.container.restartCount=2"];
  const known = await inDocker(engine, "k8s_app", [...kubelets, ...parent, ...own, ...restarts], {});
  const want = { owner: "pod", pod, name: "app", attempt: 2, image: IMAGE, labels: { app: "web" } } as const;
  await identified(settings, { ...known, want });
}
