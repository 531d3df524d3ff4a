/**
 * Records fixtures/pods: what a real API server sends to a webhook of pods, for each kind of workload and each rule of
 * webhook/admission/patch. `bin/node test/support/record-pods.ts`, as root.
 */
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { renewed } from "../../src/webhook/pki/renewal.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { ROOT } from "./paths.ts";

const NAMED = { "coredump.fujitsu.com/pvcname": "cores" };
const container = (name: string, more = {}) => ({ name, image: "registry.example/app:1.4", ...more });
const app = container("app");
const scratch = { name: "scratch", emptyDir: {} };
const mounting = (name: string, mountPath: string, container = "app") => ({
  name: container,
  image: "registry.example/app:1.4",
  volumeMounts: [{ name, mountPath }],
});
const claim = (name: string, more = {}) => ({ name, persistentVolumeClaim: { claimName: "cores", ...more } });

/** Bare pods, by name. */
const PODS: Readonly<Record<string, { spec: object; annotations?: object }>> = {
  bare: { spec: { automountServiceAccountToken: false, containers: [app] } },
  "no-annotation": { annotations: {}, spec: { containers: [app] } },
  "empty-annotation": { annotations: { "coredump.fujitsu.com/pvcname": "" }, spec: { containers: [app] } },
  "long-claim": {
    annotations: { "coredump.fujitsu.com/pvcname": `${"very-long-".repeat(6)}claim.v2` },
    spec: { containers: [app] },
  },
  "inits-and-sidecar": {
    spec: {
      initContainers: [container("migrate"), container("proxy", { restartPolicy: "Always" })],
      containers: [app],
    },
  },
  "claim-mounted-elsewhere": {
    spec: { containers: [mounting("work", "/work"), container("other")], volumes: [claim("work")] },
  },
  "claim-read-only": { spec: { containers: [app], volumes: [claim("work", { readOnly: true })] } },
  "volume-name-taken": { spec: { containers: [app], volumes: [{ name: "coredump-cores", emptyDir: {} }] } },
  "mount-at": {
    spec: {
      initContainers: [container("setup")],
      containers: [mounting("scratch", "/var/coredump")],
      volumes: [scratch],
    },
  },
  "mount-at-slash": { spec: { containers: [mounting("scratch", "/var/coredump/")], volumes: [scratch] } },
  "mount-below": {
    spec: {
      ...{ initContainers: [mounting("scratch", "/var//coredump/./old", "setup")], containers: [app] },
      volumes: [scratch],
    },
  },
  "mount-beside": { spec: { containers: [mounting("scratch", "/var/coredumps")], volumes: [scratch] } },
  "device-at": {
    spec: {
      containers: [container("app", { volumeDevices: [{ name: "raw", devicePath: "/var/coredump" }] })],
      volumes: [{ name: "raw", persistentVolumeClaim: { claimName: "raw" } }],
    },
  },
  "selector-true": { spec: { nodeSelector: { coredump: "true", disk: "ssd" }, containers: [app] } },
  "selector-other": { spec: { nodeSelector: { coredump: "false" }, containers: [app] } },
  "selector-beside": { spec: { nodeSelector: { disk: "ssd" }, containers: [app] } },
  "many-volumes": {
    spec: {
      schedulingGates: [{ name: "example.com/wait" }],
      containers: [
        container("app", {
          resizePolicy: [{ resourceName: "cpu", restartPolicy: "NotRequired" }],
          volumeMounts: ["host", "all", "csi", "image"].map((name) => ({ name, mountPath: `/${name}` })),
        }),
      ],
      volumes: [
        { name: "host", hostPath: { path: "/srv" } },
        { name: "all", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } },
        { name: "csi", csi: { driver: "secrets.example", readOnly: true } },
        { name: "image", image: { reference: "registry.example/data:1" } },
      ],
    },
  },
};

const template = (fixture: string, spec: object) => ({ metadata: { labels: { fixture }, annotations: NAMED }, spec });
const selecting = (fixture: string, spec: object) => ({
  selector: { matchLabels: { fixture } },
  template: template(fixture, spec),
});
const job = (fixture: string, spec: object) => ({ template: template(fixture, { restartPolicy: "Never", ...spec }) });
const nameRef = { valueFrom: { fieldRef: { fieldPath: "metadata.name" } } };
const variable = (value: object) => ({ env: [{ name: "COREDUMP_POD_NAME", ...value }] });
const web = container("web", {
  ports: [{ containerPort: 80 }],
  env: [{ name: "MODE", value: "prod" }],
  livenessProbe: { httpGet: { path: "/", port: 80 } },
});

/** What makes pods, or is one without a name; the fixture's name is the pod's label. */
const MAKERS: readonly object[] = [
  {
    ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "shop" } },
    spec: selecting("deployment", { containers: [web, container("metrics")] }),
  },
  {
    ...{ apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "db" } },
    spec: { serviceName: "db", ...selecting("statefulset", { containers: [container("db")] }) },
  },
  {
    ...{ apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name: "logs" } },
    spec: selecting("daemonset", { tolerations: [{ operator: "Exists" }], containers: [container("logs")] }),
  },
  {
    ...{ apiVersion: "batch/v1", kind: "Job", metadata: { name: "etl" } },
    spec: job("job", { containers: [container("etl", { args: ["--all"] })] }),
  },
  {
    ...{ apiVersion: "batch/v1", kind: "Job", metadata: { name: "shards" } },
    spec: {
      completionMode: "Indexed",
      completions: 2,
      parallelism: 1,
      ...job("job-indexed", { containers: [container("shard")] }),
    },
  },
  {
    ...{ apiVersion: "batch/v1", kind: "CronJob", metadata: { name: "report" } },
    spec: { schedule: "0 0 1 1 *", jobTemplate: { spec: job("cronjob", { containers: [container("report")] }) } },
  },
  {
    ...{ apiVersion: "v1", kind: "Pod" },
    metadata: { generateName: "bare-", labels: { fixture: "generate-name-variable-taken" }, annotations: NAMED },
    spec: {
      containers: [
        container("app", variable({ value: "mine" })),
        container("arg", { args: ["$(COREDUMP_POD_NAME)"] }),
        container("same", variable(nameRef)),
      ],
    },
  },
];
const COUNT = Object.keys(PODS).length + MAKERS.length;

/** Lets everything through, and keeps the first review of each fixture. */
async function listen(cert: string, key: string, seen: Map<string, object>): Promise<Server> {
  const server = createServer({ cert, key }, async (request, response) => {
    const review = JSON.parse(await text(request));
    const { labels, name } = review.request.object.metadata;
    const fixture = labels?.fixture ?? name;
    if (!seen.has(fixture)) seen.set(fixture, review);
    const { apiVersion, kind, request: { uid } } = review; // biome-ignore format: one line
    response.end(JSON.stringify({ apiVersion, kind, response: { uid, allowed: true } }));
  }).listen(0);
  await once(server, "listening");
  return server;
}

async function record(cluster: Cluster): Promise<ReadonlyMap<string, object>> {
  const seen = new Map<string, object>();
  const kept = renewed({}, [cluster.address], Date.now());
  if (!kept) throw new Error("there is no certificate");
  const server = await listen(kept["tls.crt"], kept["tls.key"], seen);
  const url = `https://${cluster.address}:${(server.address() as AddressInfo).port}/`;
  const caBundle = Buffer.from(kept["ca.crt"]).toString("base64");
  const rules = [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }];
  const webhook = { name: "record.example.com", sideEffects: "None", admissionReviewVersions: ["v1"], rules };
  await cluster.send("create", {
    ...{ apiVersion: "admissionregistration.k8s.io/v1", kind: "MutatingWebhookConfiguration" },
    metadata: { name: "record" },
    webhooks: [{ ...webhook, clientConfig: { url, caBundle } }],
  });
  await cluster.send("create", { apiVersion: "v1", kind: "Node", metadata: { name: "node-9" } }); // for the DaemonSet
  const user = cluster.in(await cluster.namespace());
  const probe = { apiVersion: "v1", kind: "Pod", metadata: { name: "bare" }, spec: { containers: [app] } };
  await eventually(async () => {
    await user.send("create", probe, "--dry-run=server");
    if (!seen.delete("bare")) throw new Error("nobody calls yet");
  });
  for (const maker of MAKERS) await user.send("create", maker);
  await user.kubectl("create", "job", "report-now", "--from=cronjob/report");
  for (const [name, { spec, annotations = NAMED }] of Object.entries(PODS))
    await user.send("create", { ...probe, metadata: { name, annotations }, spec });
  await eventually(() => {
    if (seen.size < COUNT) throw new Error(`only ${[...seen.keys()]} came`);
  });
  server.closeAllConnections();
  server.close();
  return seen;
}

await using cluster = await startCluster();
const folder = join(ROOT, "fixtures/pods");
mkdirSync(folder, { recursive: true });
for (const [name, review] of await record(cluster))
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(review, null, 1)}\n`);
