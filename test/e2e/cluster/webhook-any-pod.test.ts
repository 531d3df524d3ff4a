/** What the webhook makes of any pod is valid for a real API server, and nothing of the pod's own is changed. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import type { Container } from "../../../src/domain/claim.ts";
import { connect, type KubeHttp } from "../../../src/kube/http.ts";
import { collection } from "../../../src/kube/objects.ts";
import { additionsTo, without } from "../../admission/pods.ts";
import { randomPod } from "../../admission/random-pods.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import type { Resource } from "../../support/kubectl.ts";
import { needs } from "../../support/set-up.ts";
import { startWebhook, type Webhook } from "../../support/webhook.ts";

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
      const isMounted = ({ volumeMounts }: Container) =>
        volumeMounts?.some(({ mountPath }) => mountPath === "/var/coredump");
      assert.ok([...(spec.initContainers ?? []), ...spec.containers].every(isMounted), said);
      assert.deepEqual(without(spec, plain), plain, said);
    }
    assert.ok(counts.served > 50 && counts.denied > 10, JSON.stringify(counts));
  });
});
