/** Crashes in pods that name a claim of their own, whatever made them: the core is there when the container is back. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { openCache } from "../../../src/node/cache/cache.ts";
import { Agent } from "../../support/agents.ts";
import { KERNEL_ARGUMENTS } from "../../support/captured.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import type { Resource, User } from "../../support/kubectl.ts";
import { BINARY, program } from "../../support/paths.ts";
import { type PatternOptions, withPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { type Tee, type Teed, tee } from "../../support/tee.ts";
import { type TempDir, tempDir, tempFileSystem } from "../../support/tmp.ts";
import { startWebhook, type Webhook } from "../../support/webhook.ts";

const skip = needs("root", "cluster", "binary", "command:gdb");
const CLAIM = "cores.of-the.shop"; // no DNS label
const IMAGE = "localhost/testbed:1";

let shared: Promise<{ cluster: Cluster; webhook: Webhook }> | undefined;
async function theCluster(): Promise<Cluster> {
  shared ??= startCluster({ node: true }).then(async (cluster) => {
    await applyCrds(cluster);
    await cluster.kubectl("label", "node", "node-1", "coredump=true");
    return { cluster, webhook: await startWebhook(cluster) };
  });
  return (await shared).cluster;
}
after(async () => {
  const { cluster, webhook } = (await shared) ?? {};
  await webhook?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

interface Place extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly user: User;
  /** Where the claim's volume is on the node. */
  readonly disk: string;
  /** Crashes `count` times under our handler, and brings what it captured into the cluster. */
  crashes(make: () => Promise<unknown>, count: number, options?: PatternOptions): Promise<readonly Teed[]>;
  /** The Coredump of that pod, once `is` holds of its condition Delivered. */
  delivered(pod: string | RegExp, status: "True" | "False"): Promise<Resource>;
  /** Killed, as by an OOM killer, and another one. */
  restartAgent(): Promise<void>;
  /** Of its own pods. */
  records(): ReturnType<ReturnType<typeof openCache>["records"]>;
}

async function place(volume: TempDir, ...flags: readonly string[]): Promise<Place> {
  const cluster = await theCluster();
  const folder = tempDir();
  const namespace = await cluster.namespace();
  const user = cluster.in(namespace);
  const disk = join(volume.path, "claim");
  mkdirSync(disk, { recursive: true });
  await claim(cluster, namespace, disk);
  const [dumpDir, store] = [join(folder.path, "cache"), join(folder.path, "store")];
  mkdirSync(store);
  const endpoint = `--cri-endpoint=${join(cluster.nodeFolder(), "run/containerd.sock")}`;
  const agentFlags = [
    ...[`-c=${cluster.kubeconfig}`, `-d=${dumpDir}`, "--node-name=node-1", endpoint, `--store=${store}`],
    ...["--admission=all", `--kubelet-root=${join(cluster.nodeFolder(), "kubelet")}`, ...flags],
  ];
  let agent = await Agent.startReleased(...agentFlags);
  const tees: Tee[] = [];
  return {
    ...{ cluster, namespace, user, disk },
    crashes: async (make, count, options) => {
      const behind = tee([BINARY, `-d=${dumpDir}`, endpoint]);
      tees.push(behind);
      const pattern = behind.pattern(KERNEL_ARGUMENTS);
      return await withPattern(
        pattern,
        async () => {
          await make();
          return await behind.crashes(count, 60_000);
        },
        options,
      );
    },
    delivered: (pod, wanted) =>
      eventually(async () => {
        const isIt = ({ spec }: Resource) => (typeof pod === "string" ? spec.pod === pod : pod.test(spec.pod));
        const found = (await user.get("coredumps"))["items"].find(isIt);
        assert.equal(deliveryOf(found)?.status, wanted, `${JSON.stringify(found?.status)}\n${agent.said}`);
        return found;
      }),
    // Not what the kernel gave up in anybody else's test.
    records: () =>
      openCache(dumpDir, { create: true })
        .records()
        .filter(({ pod }) => pod?.namespace === namespace),
    restartAgent: async () => {
      await agent.end("SIGKILL");
      agent = await Agent.startReleased(...agentFlags);
    },
    [Symbol.asyncDispose]: async () => {
      await agent[Symbol.asyncDispose]();
      await user.kubectl(
        "delete",
        "--all",
        "--grace-period=1",
        "deployments,statefulsets,daemonsets,cronjobs,jobs,pods",
      );
      for (const each of [folder, ...tees]) each[Symbol.dispose]();
      volume[Symbol.dispose]();
    },
  };
}

const deliveryOf = (coredump: Resource | undefined) =>
  coredump?.["status"]?.conditions?.find(({ type }: Resource) => type === "Delivered");

/** A volume that the kubelet mounts, by sub path too: a directory of its node. */
async function claim(cluster: Cluster, namespace: string, path: string): Promise<void> {
  const capacity = { storage: "1Gi" };
  const shape = { accessModes: ["ReadWriteMany"], storageClassName: "" };
  const onNode = [{ key: "kubernetes.io/hostname", operator: "In", values: ["node-1"] }];
  const nodeAffinity = { required: { nodeSelectorTerms: [{ matchExpressions: onNode }] } };
  const name = `volume-of-${namespace}`;
  await cluster.send("create", {
    ...{ apiVersion: "v1", kind: "PersistentVolume", metadata: { name } },
    spec: { ...shape, capacity, nodeAffinity, local: { path } },
  });
  await cluster.in(namespace).send("create", {
    ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: CLAIM } },
    spec: { ...shape, volumeName: name, resources: { requests: capacity } },
  });
}

const annotations = { "coredump.fujitsu.com/pvcname": CLAIM };

/** Crashes once; in its second life it lets people look. */
const CRASH_ONCE = "[ -e /once/crashed ] && exec sleep 3600; touch /once/crashed; sleep 1; exec /bin/crash";

const podSpec = (restartPolicy: string, change: object = {}) => ({
  restartPolicy,
  terminationGracePeriodSeconds: 1,
  securityContext: { runAsUser: 1000, runAsGroup: 1000 },
  volumes: [{ name: "once", emptyDir: {} }],
  containers: [
    {
      name: "app",
      image: IMAGE,
      command: ["/bin/sh", "-c", CRASH_ONCE],
      volumeMounts: [{ name: "once", mountPath: "/once" }],
    },
  ],
  ...change,
});

const pod = (name: string, spec: object = podSpec("Always")) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, annotations },
  spec,
});

/** One of each kind, named after it. */
function workloads(): object[] {
  const template = (restartPolicy: string) => ({
    metadata: { annotations, labels: { app: "web" } },
    spec: podSpec(restartPolicy),
  });
  const running = { selector: { matchLabels: { app: "web" } }, template: template("Always") };
  const job = { backoffLimit: 6, template: template("OnFailure") };
  const make = (apiVersion: string, kind: string, spec: object) => ({
    ...{ apiVersion, kind, spec },
    metadata: { name: kind.toLowerCase() },
  });
  return [
    make("apps/v1", "Deployment", running),
    make("apps/v1", "StatefulSet", { ...running, serviceName: "web" }),
    make("apps/v1", "DaemonSet", running),
    make("batch/v1", "Job", job),
    make("batch/v1", "CronJob", { schedule: "0 0 1 1 *", jobTemplate: { spec: job } }),
    pod("pod"),
  ];
}

test("each kind of workload finds its core in its own claim when it is back", { skip }, async () => {
  await using at = await place(tempDir());
  const seen = await at.crashes(async () => {
    for (const workload of workloads()) await at.user.send("apply", workload);
    await at.user.kubectl("create", "job", "cronjob-now", "--from=cronjob/cronjob");
  }, 6);
  for (const kind of ["deployment", "statefulset", "daemonset", "job", "cronjob-now", "pod"]) {
    const coredump = await at.delivered(new RegExp(`^${kind}(-|$)`), "True");
    const name: string = coredump["spec"].pod;
    const [file, ...others] = readdirSync(join(at.disk, name, "app"));
    assert.ok(file && others.length === 0, `${kind}: ${file} ${others}`);
    assert.match(file, /^core_crash_\d{8}T\d{9}Z_[0-9a-f]{12}$/);
    assert.match(deliveryOf(coredump).message, new RegExp(`^claim ${CLAIM}: /var/coredump/${file} of container app`));
    const core = seen.find(({ pid }) => pid === coredump["spec"].pid)?.core ?? "";
    execFileSync("cmp", [core, join(at.disk, name, "app", file)]);
    await seenInside(at, name, file);
    assert.match(backtrace(join(at.disk, name, "app", file)), /crash_here/);
  }
  const events = (await at.user.get("events", "--field-selector=reason=CoreDumpDelivered"))["items"];
  assert.equal(events.length, 6);
});

/** By the container itself, as its own user. */
async function seenInside({ user }: Place, pod: string, file: string): Promise<void> {
  await eventually(async () => {
    const look = ["exec", pod, "--", "sh", "-c", `id -u && ls -ln /var/coredump && head -c 4 /var/coredump/${file}`];
    const out = await user.kubectl(...look);
    assert.match(out, new RegExp(`^1000\n.*-rw-------\\s+1 1000\\s+1000 .* ${file}\n\x7fELF$`, "s"));
  });
}

const backtrace = (core: string): string =>
  execFileSync("gdb", ["-nx", "-batch", "-ex", "bt", program("crash"), core], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });

test("a pod with a user namespace of its own may read its core", { skip }, async (t) => {
  const { status } = await (await theCluster()).get("node", "node-1");
  const isAble = status.runtimeHandlers?.some(({ features }: Resource) => features?.userNamespaces === true);
  if (!isAble) return t.skip("this node's run-time makes no user namespaces"); // test/node/delivery has the ids
  await using at = await place(tempDir());
  await at.crashes(async () => await at.user.send("create", pod("web-0", podSpec("Always", { hostUsers: false }))), 1);
  await at.delivered("web-0", "True");
  const [file = ""] = readdirSync(join(at.disk, "web-0/app"));
  assert.equal(statSync(join(at.disk, "web-0/app", file)).uid, 1000); // as the volume stores it
  assert.ok((at.records()[0]?.processUid ?? 0) >= 65536, "it had no user namespace");
  await seenInside(at, "web-0", file);
});

test("a claim without room is said to be full, and the dump goes to the store", { skip }, async () => {
  await using at = await place(tempFileSystem(256n << 10n), "--delivery-wait=3s");
  await at.crashes(async () => await at.user.send("create", pod("web-0")), 1);
  const coredump = await eventually(async () => {
    const found = await at.delivered("web-0", "False");
    assert.equal(found["status"].state, "Saved", JSON.stringify(found["status"]));
    return found;
  });
  assert.equal(deliveryOf(coredump).reason, "VolumeFull");
  assert.deepEqual(readdirSync(join(at.disk, "web-0/app")), []);
  const events = (await at.user.get("events", "--field-selector=reason=CoreDumpNotDelivered"))["items"];
  assert.match(events[0]?.message ?? "", /^core not delivered into claim cores\.of-the\.shop: the volume/);
  assert.equal(at.records()[0]?.state, "Saved");
});

test("an agent that is killed behind a crash is followed by one that delivers, once", { skip }, async () => {
  await using at = await place(tempDir());
  await at.crashes(async () => {
    for (const name of ["web-0", "web-1", "web-2"]) await at.user.send("create", pod(name));
    await eventually(() => assert.ok(at.records().length > 0));
    await at.restartAgent();
  }, 3);
  for (const name of ["web-0", "web-1", "web-2"]) {
    await at.restartAgent();
    await at.delivered(name, "True");
    assert.equal(readdirSync(join(at.disk, name, "app")).length, 1);
  }
});

test("what may not be delivered is not, and says why", { skip }, async () => {
  await using at = await place(tempDir());
  const bare = { name: "app", image: IMAGE, command: ["/bin/crash"] };
  const made = async () => {
    // Changes its user: its memory is root's alone.
    const changed = { ...bare, command: ["/bin/crash", "-u", "1000"] };
    await at.user.send("create", pod("changed", podSpec("Never", { securityContext: {}, containers: [changed] })));
    // Made past the webhook: an annotation alone is no mount.
    const later = {
      ...pod("later", podSpec("Never", { containers: [{ ...bare, command: ["sh", "-c", "sleep 3; exec crash"] }] })),
    };
    await at.user.send("create", { ...later, metadata: { name: "later" } });
    await at.user.kubectl("annotate", "pod/later", `coredump.fujitsu.com/pvcname=${CLAIM}`);
  };
  await at.crashes(made, 2, { suidDumpable: 2 });
  assert.equal(deliveryOf(await at.delivered("changed", "False")).reason, "NotDumpable");
  assert.equal(deliveryOf(await at.delivered("later", "False")).reason, "NotMounted");
  const [changed] = (await at.user.get("coredumps"))["items"].filter(({ spec }: Resource) => spec.pod === "changed");
  assert.equal(changed.status.state, "Restricted");
  assert.deepEqual(readdirSync(join(at.disk, "changed/app")), []);
});
