/** What the webhook makes of any pod is valid for a real API server, and nothing of the pod's own is changed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { CLAIM_ANNOTATION, type ClaimContainer, type Volume, type VolumeMount } from "../../../src/domain/claim.ts";
import { connect, type KubeHttp } from "../../../src/kube/http.ts";
import { collection } from "../../../src/kube/objects.ts";
import { type Kept, renewed } from "../../../src/webhook/pki/renewal.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import type { Resource } from "../../support/kubectl.ts";
import { needs } from "../../support/set-up.ts";
import { startWebhook, type Webhook } from "../../support/webhook.ts";
import { additionsTo, without } from "../../webhook/admission/pods.ts";
import { randomPod } from "../../webhook/admission/random-pods.ts";

const skip = needs("root", "cluster");
const PODS = 300;

describe("webhook", { skip }, () => {
  let cluster: Cluster;
  let webhook: Webhook;
  let http: KubeHttp;
  let namespace: string;

  before(async () => {
    cluster = await startCluster();
    webhook = await startWebhook(cluster);
    http = await connect(cluster.kubeconfig);
    namespace = await cluster.namespace();
  });
  after(async () => {
    await webhook?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  /** A dry run: the API server fills in, calls, and judges as ever, and keeps nothing. */
  const created = async (pod: object): Promise<Resource["spec"]> => {
    const path = collection("v1", "pods", namespace);
    const query = { dryRun: "All" };
    const { spec } = await http.json<Resource>({ verb: "create", resource: "pods", path, query, body: pod });
    return JSON.parse(JSON.stringify(spec).replaceAll(/kube-api-access-[a-z0-9]{5}/g, "kube-api-access"));
  };

  test("any pod: what becomes of it is valid, and what the API server would have made of it is in there", async () => {
    const counts = { served: 0, denied: 0 };
    for (const pod of fc.sample(randomPod, PODS)) {
      const said = JSON.stringify(pod);
      const plain = await created({ ...pod, metadata: { ...pod.metadata, annotations: {} } });
      const additions = additionsTo(pod);
      if (typeof additions === "string") {
        counts.denied++;
        await assert.rejects(created(pod), ({ message }: Error) => message.includes(additions), said);
        continue;
      }
      counts.served++;
      const spec = await created(pod).catch((error) => assert.fail(`${error.message}: ${said}`));
      assert.equal(spec.nodeSelector.coredump, "true", said);
      const isMounted = ({ volumeMounts }: ClaimContainer) =>
        volumeMounts?.some(({ mountPath }) => mountPath === "/var/coredump");
      assert.ok([...(spec.initContainers ?? []), ...spec.containers].every(isMounted), said);
      assert.deepEqual(without(spec, plain), plain, said);
    }
    assert.ok(counts.served > 50 && counts.denied > 10, JSON.stringify(counts));
  });

  test("a container that another webhook puts in later is served, too (reinvocation)", async () => {
    const sidecar = [
      { op: "add", path: "/spec/containers/-", value: { name: "sidecar", image: "localhost/testbed:1" } },
    ];
    await using other = await startAnother(sidecar);
    const kind = "MutatingWebhookConfiguration";
    await cluster.send("create", { ...other.configuration, kind });
    const app = { name: "app", image: "localhost/testbed:1" };
    const metadata = { generateName: "web-", annotations: { [CLAIM_ANNOTATION]: "cores" } };
    await eventually(async () => {
      const { containers, volumes } = await created({
        apiVersion: "v1",
        kind: "Pod",
        metadata,
        spec: { containers: [app] },
      });
      assert.deepEqual(
        containers.map(({ name }: ClaimContainer) => name),
        ["app", "sidecar"],
      );
      for (const { name, volumeMounts } of containers)
        assert.ok(
          volumeMounts?.some((mount: VolumeMount) => mount.subPathExpr === `$(COREDUMP_POD_NAME)/${name}`),
          name,
        );
      assert.equal(volumes.filter(({ name }: Volume) => name === "coredump-cores").length, 1);
    });
    await cluster.kubectl("delete", kind, "later");
  });

  /** One that patches each pod once, as its name sorts behind ours. */
  async function startAnother(patch: object[]) {
    const kept = renewed({}, [cluster.address], Date.now()) as Kept;
    const server = createServer({ cert: kept["tls.crt"], key: kept["tls.key"] }, async (request, response) => {
      const { apiVersion, kind, request: asked } = JSON.parse(await text(request));
      const isNew = asked.object.spec.containers.length === 1;
      const patched = isNew && { patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(patch)).toString("base64") };
      response.end(JSON.stringify({ apiVersion, kind, response: { uid: asked.uid, allowed: true, ...patched } }));
    }).listen(0);
    await once(server, "listening");
    const url = `https://${cluster.address}:${(server.address() as AddressInfo).port}/`;
    const clientConfig = { url, caBundle: Buffer.from(kept["ca.crt"]).toString("base64") };
    const rules = [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }];
    const webhook = {
      name: "later.example.com",
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
      rules,
      clientConfig,
    };
    return {
      configuration: {
        apiVersion: "admissionregistration.k8s.io/v1",
        metadata: { name: "later" },
        webhooks: [webhook],
      },
      [Symbol.asyncDispose]: async () => {
        server.closeAllConnections();
        server.close();
      },
    };
  }
});
