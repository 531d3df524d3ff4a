/** The test bed's cluster is a real one, and its node's crashes are captured like any other's. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { assertSameAsKernel, captured } from "../../support/captured.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { type Resource, User } from "../../support/kubectl.ts";
import { TESTBED, TESTBED_COMMAND } from "../../support/paths.ts";
import { startS3 } from "../../support/s3.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster", "binary");
const exec = promisify(execFile);
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
  let pod: Resource | undefined;
  using one = await captured(async () => {
    await cluster.in(namespace).send("create", podOf("web-0", ["/bin/crash"]));
    const { pod: ended, exitCode } = await cluster.ended(namespace, "web-0");
    assert.equal(exitCode, 139);
    pod = ended;
  }, [`--cri-endpoint=${endpoint}`]);
  assertSameAsKernel(one);
  assert.deepEqual(one.record.pod, { namespace, name: "web-0", uid: pod?.metadata["uid"] });
  assert.equal(one.record.container?.name, "app");
  assert.equal(`containerd://${one.record.container?.id}`, pod?.["status"].containerStatuses[0].containerID);
});

test("startCluster(): a service leads to its pod, from other pods and from the node's network", { skip }, async () => {
  const cluster = await theCluster();
  const namespace = await cluster.namespace();
  const admin = cluster.in(namespace);
  const web = ["/bin/sh", "-c", "mkdir /tmp/w; echo hello > /tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w"];
  await admin.send("create", podOf("web", web));
  await admin.kubectl("label", "pod", "web", "app=web");
  await admin.kubectl("expose", "pod", "web", "--port=80", "--target-port=8080");
  await admin.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s");
  const address = (await admin.get("service", "web"))["spec"].clusterIP;
  const ask = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 ${address} 80 2> /dev/null | grep hello`;
  const fetchIt = `for i in $(seq 50); do ${ask} && exit; sleep 0.1; done; exit 1`;
  for (const [name, more] of [
    ["asks", {}],
    ["asks-on-host", { hostNetwork: true }],
  ] as const) {
    await admin.send("create", podOf(name, ["/bin/sh", "-c", fetchIt], more));
    assert.equal((await cluster.ended(namespace, name)).exitCode, 0, await admin.kubectl("logs", name));
    assert.equal(await admin.kubectl("logs", name), "hello\n");
  }
});

test("Cluster.down(), up(): what the cluster knew is there again after the API server and etcd died", {
  skip,
}, async () => {
  const cluster = await theCluster();
  const namespace = await cluster.namespace();
  await cluster.down("apiserver", "etcd");
  assert.match(await cluster.refusal("get", "namespaces"), /refused/);
  await cluster.up("etcd", "apiserver");
  assert.equal((await cluster.get("namespace", namespace)).metadata["name"], namespace);
});

test("Cluster.user(), serviceAccount(): who they are, and on which node", { skip }, async () => {
  const cluster = await theCluster();
  const namespace = await cluster.namespace();
  const whoami = async (user: User): Promise<Resource["status"]> =>
    JSON.parse(await user.kubectl("auth", "whoami", "--output", "json")).status.userInfo;
  const tenant = await whoami(await cluster.user("alice", "shop"));
  assert.deepEqual([tenant.username, tenant.groups], ["alice", ["shop", "system:authenticated"]]);
  const account = await whoami(await cluster.serviceAccount(namespace, "default", "node-1"));
  assert.equal(account.username, `system:serviceaccount:${namespace}:default`);
  assert.deepEqual(account.extra["authentication.kubernetes.io/node-name"], ["node-1"]);
});

test("startS3(): keeps its objects through a restart, and a user may only do what is named", { skip }, async () => {
  await using s3 = await startS3();
  const put = (Key: string): PutObjectCommand => new PutObjectCommand({ Bucket: s3.bucket, Key, Body: "core" });
  const get = (Key: string): GetObjectCommand => new GetObjectCommand({ Bucket: s3.bucket, Key });
  const writer = s3.client(await s3.user("writer", "s3:PutObject"));
  await writer.send(put("shop/a"));
  await assert.rejects(writer.send(get("shop/a")), { name: "AccessDenied" });
  await s3.down();
  await assert.rejects(writer.send(put("shop/b")), { code: "ECONNREFUSED" });
  await s3.up();
  const { Body } = await s3.client().send(get("shop/a"));
  assert.equal(await Body?.transformToString(), "core");
});

test("testbed reap: a cluster and its node go away with whoever started them", {
  skip,
}, async () => {
  const starter = spawn("sleep", ["600"], { stdio: "ignore" });
  const env = { ...process.env, OWNER: `${starter.pid}` };
  const name = `left-${process.pid}`;
  const testbed = (...args: string[]): Promise<unknown> => exec(TESTBED_COMMAND, args, { env });
  const folder = join(TESTBED, "run", name);
  try {
    await testbed("cluster", "start", name);
    await testbed("node", "start", name);
    const admin = new User(join(folder, "kubeconfig"));
    await admin.send("create", podOf("stays", ["/bin/sleep", "3600"]));
    await admin.kubectl("wait", "--for=condition=Ready", "pod/stays", "--timeout=60s");
  } finally {
    starter.kill("SIGKILL");
    await once(starter, "close");
    await testbed("reap");
  }
  const { stdout } = await exec("find", ["/run/netns", "/sys/fs/cgroup", join(TESTBED, "run"), "-name", `*${name}*`]);
  assert.equal(stdout, "");
});
