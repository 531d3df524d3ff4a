/** The aggregated API when something goes: kube-apiserver, etcd, we ourselves; over SQLite and over etcd. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { API, ApiServer, askStraight, credentialsOf, frontProxyOf, STORAGES } from "../../support/apiserver.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import type { User } from "../../support/kubectl.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster");

describe("the aggregated API's bad days", { skip }, () => {
  let cluster: Cluster;
  let team: User;
  let path: string;

  before(async () => {
    cluster = await startCluster();
    const namespace = await cluster.namespace();
    team = cluster.in(namespace);
    path = `/apis/${API}/namespaces/${namespace}/coredumpendpoints`;
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  const endpoint = (name: string) => ({
    ...{ apiVersion: API, kind: "CoredumpEndpoint", metadata: { name } },
    spec: { poduid: "u-1" },
  });

  for (const storage of STORAGES) {
    test(`killed and started anew, it has what it answered for (${storage})`, async () => {
      const options = { name: storage, storage };
      {
        await using server = await ApiServer.start(cluster, options);
        await team.send("create", endpoint(`kept-${storage.toLowerCase()}`));
        await server.end("SIGKILL");
      }
      await using _server = await ApiServer.start(cluster, options);
      const { metadata } = await team.get("cde", `kept-${storage.toLowerCase()}`);
      assert.equal(metadata["generation"], 1);
      await team.kubectl("delete", "cde", "--all");
    });
  }

  test("kube-apiserver goes and comes: meanwhile nobody is served on trust", async () => {
    await using server = await ApiServer.start(cluster, { name: "alone" });
    await team.send("create", endpoint("a"));
    const admin = credentialsOf(cluster);
    assert.equal((await askStraight(server, path, admin)).status, 200);
    await cluster.down("apiserver");
    await eventually(async () => {
      const { status, headers, body } = await askStraight(server, path, admin);
      assert.deepEqual([status, headers["retry-after"]], [503, "1"], String(body));
    });
    await cluster.up("apiserver");
    await eventually(async () =>
      assert.equal(await team.kubectl("get", "cde", "-o", "name"), "coredumpendpoint.coredump.fujitsu.com/a\n"),
    );
    await eventually(async () => assert.equal(String((await askStraight(server, "/readyz")).body), "ok"));
    await team.kubectl("delete", "cde", "--all");
  });

  test("etcd goes and comes: 503 and not ready, then everything as it was", async () => {
    await using server = await ApiServer.start(cluster, { storage: "etcd", name: "etcd-gone" });
    await team.send("create", endpoint("a"));
    const { resourceVersion } = (await team.get("cde", "a")).metadata;
    const asAdmin = {
      ...frontProxyOf(cluster),
      headers: { "x-remote-user": "admin", "x-remote-group": "system:masters" },
    };
    await cluster.down("etcd");
    // kube-apiserver answers SubjectAccessReviews without its etcd.
    await eventually(async () => {
      const { status, body } = await askStraight(server, `${path}/a`, asAdmin);
      assert.equal(status, 503, String(body));
      assert.equal((await askStraight(server, "/readyz")).status, 503);
    });
    await cluster.up("etcd");
    await eventually(async () =>
      assert.equal((await team.get("cde", "a")).metadata["resourceVersion"], resourceVersion),
    );
    await eventually(async () => assert.equal((await askStraight(server, "/readyz")).status, 200));
    await team.kubectl("delete", "cde", "--all");
  });

  test("SIGTERM ends watches and itself, and the exit code is 0", async () => {
    await using server = await ApiServer.start(cluster, { name: "term" });
    const watch = askStraight(server, `${path}?watch=true`, credentialsOf(cluster));
    await eventually(async () => {
      const { body } = await askStraight(server, "/metrics", credentialsOf(cluster));
      assert.match(String(body), /^coredump_apiserver_watches 1$/m);
    });
    assert.equal(await server.end("SIGTERM"), 0);
    assert.equal((await watch).status, 200);
  });
});
