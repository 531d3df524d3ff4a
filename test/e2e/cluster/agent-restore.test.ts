/** The cluster forgets: kinds taken away and made anew, etcd restored from an older state. No dump is taken for deleted. */
import assert from "node:assert/strict";
import { cpSync, globSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect, MERGE_PATCH } from "../../../src/kube/http.ts";
import { member } from "../../../src/kube/objects.ts";
import { AgentNode } from "../../support/agent-node.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { Dumps } from "../../support/controller.ts";
import { applyCrds } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster", "binary");

describe("a cluster that forgets", { skip }, () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await startCluster();
    await cluster.kubectl("create", "namespace", "coredump-system");
    await applyCrds(cluster);
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  /** In the API, by id: its state and uid. */
  async function objects(namespace: string): Promise<Map<string, { state: string; uid: string }>> {
    const all = await new Dumps(await connect(cluster.kubeconfig), namespace).all();
    return new Map(all.map(({ spec, status, metadata }) => [spec.id, { state: status?.state, uid: metadata["uid"] }]));
  }

  /** Each dump is in the API as it was before, by an object that its record knows, and what the node held it holds. */
  async function allThere(node: AgentNode, namespace: string, want: ReadonlyMap<string, string>): Promise<void> {
    await eventually(async () => {
      const there = await objects(namespace);
      assert.deepEqual(new Map([...there].map(([id, { state }]) => [id, state])), want);
      for (const record of node.records.filter(({ pod }) => pod?.namespace === namespace)) {
        assert.equal(record.state, want.get(record.id));
        assert.equal(record.cluster?.objectUid, there.get(record.id)?.uid);
        assert.equal(node.holds(record), record.state === "Created");
      }
    });
  }

  /** One that was allowed and is stored, and others that nobody has decided about. */
  async function crashes(node: AgentNode, namespace: string, count: number): Promise<Map<string, string>> {
    const ids = Array.from({ length: count }, () => node.crash(namespace).id);
    const [saved = "", ...waiting] = ids;
    const dumps = new Dumps(await connect(cluster.kubeconfig), namespace);
    const name = await eventually(async () => {
      const found = (await dumps.all()).find(({ spec, status }) => spec.id === saved && status?.state === "Created");
      return found?.metadata["name"] ?? assert.fail("not registered yet");
    });
    await dumps.status(name, { state: "Allowed" });
    const want = new Map([[saved, "Saved"], ...waiting.map((id): [string, string] => [id, "Created"])]);
    await allThere(node, namespace, want);
    return want;
  }

  /** As many writes as make the versions of before and behind a restore differ. */
  async function age(): Promise<void> {
    const http = await connect(cluster.kubeconfig);
    const path = member("v1", "namespaces", "default");
    for (let n = 0; n < 300; n++) {
      const body = { metadata: { annotations: { written: `${n}` } } };
      await http.json({ verb: "patch", resource: "namespaces", path, body, contentType: MERGE_PATCH });
    }
  }

  test("kinds taken away and made anew: every dump is registered again", async () => {
    using node = new AgentNode(cluster.kubeconfig);
    const namespace = await cluster.namespace();
    await using agent = await node.agent();
    const want = await crashes(node, namespace, 5);
    const before = await objects(namespace);
    await cluster.kubectl("delete", "crd", "coredumps.coredump.fujitsu.com");
    await applyCrds(cluster);
    await allThere(node, namespace, want);
    const again = await objects(namespace);
    for (const [id, { uid }] of before) assert.notEqual(again.get(id)?.uid, uid, agent.said);
    assert.equal(globSync(`${node.store}/**/*.tar.zst`).length, 1);
  });

  test("etcd restored from an older state: every dump that it forgot is registered again", async () => {
    const [state, copy] = [join(cluster.folder, "etcd"), join(cluster.folder, "etcd-copy")];
    using node = new AgentNode(cluster.kubeconfig);
    const [early, late] = [await cluster.namespace(), await cluster.namespace()];
    await using agent = await node.agent();
    const known = await crashes(node, early, 2);
    await cluster.down("apiserver", "etcd");
    cpSync(state, copy, { recursive: true });
    await cluster.up("etcd", "apiserver");
    await age(); // a backup is older than what an API server writes at its start
    const forgotten = await crashes(node, late, 4);
    const before = new Map([...(await objects(early)), ...(await objects(late))]);
    await cluster.down("apiserver", "etcd", "controller-manager");
    rmSync(state, { recursive: true });
    renameSync(copy, state);
    // Kubernetes' own manager remembers revisions that are no more; ours is the one that has to cope.
    await cluster.up("etcd", "apiserver", "controller-manager");
    await allThere(node, early, known);
    await allThere(node, late, forgotten);
    const again = new Map([...(await objects(early)), ...(await objects(late))]);
    for (const [id, { uid }] of before) assert.equal(again.get(id)?.uid === uid, known.has(id), agent.said);
    await eventually(async () => assert.equal((await agent.ask("/readyz")).status, 200, agent.said));
    assert.equal(globSync(`${node.store}/**/*.tar.zst`).length, 2);
  });
});
