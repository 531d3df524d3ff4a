/** The test bed's cluster is a real one, and its node's crashes are captured like any other's. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { assertSameAsKernel, captured } from "../../support/captured.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster", "binary");
const IMAGE = "localhost/testbed:1";

let shared: Cluster | undefined;
const theCluster = async (): Promise<Cluster> => (shared ??= await startCluster({ node: true }));
after(async () => await shared?.[Symbol.asyncDispose]());

const podOf = (name: string, command: readonly string[], more: object = {}): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: { restartPolicy: "Never", containers: [{ name: "app", image: IMAGE, command }], ...more },
});

test("startCluster(): a crash in a pod is captured, complete, with pod, container and namespace", {
  skip,
}, async () => {
  const cluster = await theCluster();
  const namespace = await cluster.namespace();
  const endpoint = join(cluster.nodeFolder(), "run/containerd.sock");
  let pod = await cluster.in(namespace).send("create", podOf("web-0", ["/bin/sleep", "0"]), "--dry-run=server");
  using one = await captured(async () => {
    await cluster.in(namespace).send("create", podOf("web-0", ["/bin/crash"]));
    const { pod: ended, exitCode } = await cluster.ended(namespace, "web-0");
    assert.equal(exitCode, 139);
    pod = ended;
  }, [`--cri-endpoint=${endpoint}`]);
  assertSameAsKernel(one);
  assert.deepEqual(one.record.pod, { namespace, name: "web-0", uid: pod.metadata["uid"] });
  assert.equal(one.record.container?.name, "app");
  assert.equal(`containerd://${one.record.container?.id}`, pod["status"].containerStatuses[0].containerID);
});
