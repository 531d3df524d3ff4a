/** Agents killed at each of a dump's writes to the API, in turn: the next one goes on, and nothing is there twice. */
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { AgentNode } from "../../support/agent-node.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import { KubeProxy, type Seen } from "../../support/kube-proxy.ts";
import type { Resource } from "../../support/kubectl.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster", "binary");

/** The Lease is the agent's own matter. */
const isOfDump = ({ method, path }: Seen): boolean => method !== "GET" && !path.includes("/leases");

describe("an agent that is killed", { skip }, () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await startCluster();
    await cluster.kubectl("create", "namespace", "coredump-system");
    await applyCrds(cluster);
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  for (const when of ["before", "after"] as const)
    test(`${when} each write has a next one that goes on from there`, async () => {
      await using proxy = await KubeProxy.start(cluster);
      using node = new AgentNode(proxy.kubeconfig);
      const namespace = await cluster.namespace();
      const inApi = async (kind: string): Promise<Resource[]> => (await cluster.in(namespace).get(kind))["items"];
      const allSaved = async (): Promise<void> => {
        const dumps = await inApi("coredumps");
        assert.equal(dumps.length, node.records.length);
        assert.ok(dumps.every(({ status }) => status?.state === "Saved"));
        assert.ok(node.records.every((record) => record.state === "Saved" && !node.holds(record)));
      };
      for (let count = 1, isKilled = true; isKilled; count++) {
        await using agent = await node.agent("--admission=all");
        await eventually(allSaved); // that of the one before, too
        let writes = 0;
        isKilled = false;
        proxy.onRequest = (seen, at) => {
          if (isKilled || at !== when || !isOfDump(seen) || ++writes < count) return;
          isKilled = true;
          process.kill(agent.pid, "SIGKILL");
        };
        const { id } = node.crash(namespace);
        await eventually(async () => assert.ok(isKilled || (await inApi("coredumps")).some(isSaved(id)), agent.said));
        proxy.onRequest = () => undefined;
        assert.ok(isKilled || count > 4, `only ${count - 1} writes`); // object, event, its states, the store's name
      }
      await eventually(allSaved);
      assert.ok((await inApi("events")).length <= node.records.length);
      assert.equal(globSync(`${node.store}/**/*.tar.zst`).length, node.records.length);
    });
});

const isSaved =
  (id: string) =>
  ({ spec, status }: Resource): boolean =>
    spec.id === id && status?.state === "Saved";
