/** Pods of every kind of workload, made by people's own means, with the webhook, a claim and a kubelet that are real. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import type { Resource, User } from "../../support/kubectl.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";
import { startWebhook, type Webhook } from "../../support/webhook.ts";

const skip = needs("root", "cluster");
const IMAGE = "localhost/testbed:1";

/** Each container leaves a file in its directory; those of a job then end. */
const say = "echo $HOSTNAME > /var/coredump/$NAME";
const container = (name: string, then = "exec sleep 3600") => ({
  name,
  image: IMAGE,
  command: ["/bin/sh", "-c", `${say} && ${then}`],
  env: [{ name: "NAME", value: name }],
});

const annotations = { "coredump.fujitsu.com/pvcname": "cores" };
const template = (app: string, spec: object) => ({
  metadata: { labels: { app }, annotations },
  spec: { terminationGracePeriodSeconds: 0, ...spec },
});
const selecting = (app: string, spec: object) => ({
  selector: { matchLabels: { app } },
  template: template(app, spec),
});
const job = (app: string) => ({
  template: template(app, { restartPolicy: "Never", containers: [container("app", "exit")] }),
});

/** By the label of their pods. */
const WORKLOADS: Readonly<Record<string, object>> = {
  deployment: {
    ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "deployment" } },
    spec: {
      replicas: 2,
      ...selecting("deployment", {
        initContainers: [container("setup", "exit"), { ...container("proxy"), restartPolicy: "Always" }],
        containers: [container("app"), container("other")],
      }),
    },
  },
  "stateful-set": {
    ...{ apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "stateful-set" } },
    spec: { serviceName: "none", ...selecting("stateful-set", { containers: [container("app")] }) },
  },
  "daemon-set": {
    ...{ apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name: "daemon-set" } },
    spec: selecting("daemon-set", { containers: [container("app")] }),
  },
  job: { ...{ apiVersion: "batch/v1", kind: "Job", metadata: { name: "job" } }, spec: job("job") },
  "cron-job": {
    ...{ apiVersion: "batch/v1", kind: "CronJob", metadata: { name: "cron-job" } },
    spec: { schedule: "* * * * *", jobTemplate: { spec: job("cron-job") } },
  },
  pod: {
    ...{ apiVersion: "v1", kind: "Pod" },
    metadata: { name: "pod", labels: { app: "pod" }, annotations },
    spec: template("pod", { containers: [container("app")] }).spec,
  },
};

/** Pods and the names of their containers. */
const namesOf = ({ spec }: Resource): string[] =>
  [...(spec.initContainers ?? []), ...spec.containers].map(({ name }: { name: string }) => name);

describe("webhook", { skip }, () => {
  let cluster: Cluster;
  let webhook: Webhook;
  let user: User;
  /** What is in the claim. */
  let claim: string;

  before(async () => {
    cluster = await startCluster({ node: true });
    webhook = await startWebhook(cluster);
    await cluster.kubectl("label", "node", "node-1", "coredump=true");
    const namespace = await cluster.namespace();
    user = cluster.in(namespace);
    claim = join(cluster.folder, "claim");
    mkdirSync(claim, { mode: 0o777 });
    const sizes = { accessModes: ["ReadWriteMany"], storageClassName: "" };
    await cluster.send("create", {
      ...{ apiVersion: "v1", kind: "PersistentVolume", metadata: { name: "cores" } },
      spec: {
        ...sizes,
        capacity: { storage: "1Gi" },
        hostPath: { path: claim },
        claimRef: { namespace, name: "cores" },
      },
    });
    await user.send("create", {
      ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "cores" } },
      spec: { ...sizes, volumeName: "cores", resources: { requests: { storage: "1Gi" } } },
    });
  });
  after(async () => {
    await webhook?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const podsOf = async (app: string): Promise<Resource[]> =>
    (await user.get("pods", "--selector", `app=${app}`))["items"];

  test("kubectl apply of each kind: every container has <pod>/<container> of the claim at /var/coredump", async () => {
    for (const workload of Object.values(WORKLOADS)) await user.send("apply", workload);
    await user.kubectl("create", "job", "cron-job-now", "--from=cronjob/cron-job");
    for (const app of Object.keys(WORKLOADS))
      await eventually(async () => {
        const pods = await podsOf(app);
        assert.ok(pods.length >= (app === "deployment" ? 2 : 1), `no pod of ${app} yet`);
        for (const pod of pods)
          for (const container of namesOf(pod)) {
            const folder = join(claim, pod.metadata["name"], container);
            assert.equal(readFileSync(join(folder, container), "utf8"), `${pod.metadata["name"]}\n`);
            assert.deepEqual(readdirSync(folder), [container]);
          }
      });
  });

  for (const serverSide of [[], ["--server-side"]])
    test(`kubectl apply ${serverSide} of the same again changes nothing`, async () => {
      // Whoever applied in another way before does not count as drift.
      for (const workload of Object.values(WORKLOADS))
        await user.send("apply", workload, ...serverSide, ...serverSide.map(() => "--force-conflicts"));
      for (const [app, workload] of Object.entries(WORKLOADS)) {
        const { kind, metadata } = workload as Resource;
        const read = async () => {
          const { spec, metadata: of } = await user.get(kind, metadata["name"]);
          const pods = (await podsOf(app)).map(({ metadata: { uid }, spec }) => ({ uid, spec }));
          return { uid: of["uid"], generation: of["generation"], spec, pods: app === "cron-job" ? [] : pods };
        };
        const before = await read();
        await user.send("apply", workload, ...serverSide);
        assert.deepEqual(await read(), before, app);
      }
    });

  test("a pod that was read and is made again under another name has that name's directory, or is refused", async () => {
    const { metadata, spec } = await user.get("pod", "pod");
    const copy = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "copy", labels: metadata["labels"], annotations },
      spec,
    };
    assert.match(await user.sendRefusal("create", copy), /claim \\?"cores\\?" at \/var\/coredump in container \\?"app/);
    const [made] = await podsOf("deployment");
    const { spec: of } = made as Resource;
    await user.send("create", { ...copy, spec: of });
    await eventually(() => {
      for (const name of ["setup", "proxy", "app", "other"])
        assert.equal(readFileSync(join(claim, "copy", name, name), "utf8"), "copy\n");
    });
  });

  test("a template that cannot be served: its owner reads why in the events", async () => {
    const volumes = [{ name: "scratch", emptyDir: {} }];
    const app = { ...container("app"), volumeMounts: [{ name: "scratch", mountPath: "/var/coredump/" }] };
    const spec = selecting("refused", { containers: [app], volumes });
    await user.send("create", { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "refused" }, spec });
    await eventually(async () => {
      const events = await user.kubectl("get", "events", "--field-selector", "reason=FailedCreate");
      assert.match(
        events,
        /claim "cores" at \/var\/coredump in container "app": it has volume "scratch" at "\/var\/coredump\/"/,
      );
    });
  });

  test("docs/INSTALL_AS_SERVICE.md: its probe shows what the page says", async () => {
    const page = readFileSync(join(ROOT, "docs/INSTALL_AS_SERVICE.md"), "utf8");
    const [, probe = ""] = /^kubectl (run probe .*?)\n```/ms.exec(page) ?? [];
    const shown = await user.kubectl(...probe.replaceAll("\\\n", " ").split(/\s+/));
    for (const part of ["claimName: some-claim", "mountPath: /var/coredump", 'nodeSelector:\n    coredump: "true"'])
      assert.ok(shown.includes(part), shown);
  });

  test("while it is away pods are made without it (failurePolicy: Ignore)", async () => {
    await webhook.end("SIGKILL");
    const pod = { ...(WORKLOADS["pod"] as Resource), metadata: { name: "alone", annotations } };
    const { spec } = await user.send("create", pod);
    assert.equal(spec.nodeSelector, undefined);
  });
});
