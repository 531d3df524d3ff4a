/** `sweep`, before a node is retired: nothing waits there when it ends well, and else it says what does. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect } from "../../../src/kube/http.ts";
import { AgentNode } from "../../support/agent-node.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { Controller, Dumps } from "../../support/controller.ts";
import { applyCrds } from "../../support/coredump-resources.ts";
import { RELEASED } from "../../support/role-process.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster", "binary");

interface Swept {
  readonly exitCode: number | string | null | undefined;
  readonly text: string;
}

function sweep(node: AgentNode, ...flags: readonly string[]): Promise<Swept> {
  const [file = "", ...first] = RELEASED;
  return new Promise((resolve) => {
    execFile(file, [...first, "sweep", ...node.flags, ...flags], (error, stdout, stderr) =>
      resolve({ exitCode: error === null ? 0 : error.code, text: stdout + stderr }),
    );
  });
}

describe("sweep", { skip }, () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await startCluster();
    await cluster.kubectl("create", "namespace", "coredump-system");
    await applyCrds(cluster);
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  test("waits for decisions, uploads what is allowed, and ends with 0", async () => {
    using node = new AgentNode(cluster.kubeconfig);
    const namespace = await cluster.namespace();
    await new Dumps(await connect(cluster.kubeconfig), namespace).quota("default", "4Ki");
    const dumps = [node.crash(namespace), node.crash(namespace)];
    await using _controller = await Controller.start(cluster.kubeconfig);
    const { exitCode, text } = await sweep(node, `--store=${node.store}`, "--wait=60s");
    assert.equal(exitCode, 0, text);
    assert.match(text, /^[0-9a-f]{12} Saved$/m);
    assert.match(text, /^[0-9a-f]{12} Denied$/m);
    assert.ok(!dumps.some((dump) => node.holds(dump)));
    assert.equal(globSync(`${node.store}/**/*.tar.zst`).length, 1);
    assert.deepEqual(await sweep(node, `--store=${node.store}`), { exitCode: 0, text: "" }); // nothing is left to do
  });

  const cases: readonly { on: string; flags: (node: AgentNode) => string[]; says: RegExp }[] = [
    {
      on: "nobody decides",
      flags: ({ store }) => [`--store=${store}`],
      says: / Created: waits for the quota's decision$/m,
    },
    { on: "no store is named", flags: () => ["--admission=all"], says: / Allowed: .*there is no store$/m },
    {
      on: "the store is missing",
      flags: ({ folder }) => ["--admission=all", `--store=${join(folder, "unmounted")}`],
      says: / FailedToSave: Cannot find the store's directory .*unmounted$/m,
    },
  ];
  for (const { on, flags, says } of cases)
    test(`says why it could not when ${on}`, async () => {
      using node = new AgentNode(cluster.kubeconfig);
      const dump = node.crash(await cluster.namespace());
      const { exitCode, text } = await sweep(node, "--wait=1s", ...flags(node));
      assert.equal(exitCode, 75, text);
      assert.match(text, says);
      assert.match(text, /Cannot sweep all: 1 dump still on this node/);
      assert.ok(node.holds(dump));
    });

  test("says why it could not when the API server is away", async () => {
    using node = new AgentNode(cluster.kubeconfig);
    const dump = node.crash(await cluster.namespace());
    await cluster.down("apiserver");
    const { exitCode, text } = await sweep(node, "--wait=1s", `--store=${node.store}`);
    assert.equal(exitCode, 75, text);
    assert.match(text, / Captured: Cannot \w+ .*ECONNREFUSED/);
    assert.ok(node.holds(dump));
  });
});
