/** Why a pod crashed, where people look: events, lists, selectors; also of dumps that nobody kept. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Agent } from "../../support/agents.ts";
import { KERNEL_ARGUMENTS } from "../../support/captured.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { Controller } from "../../support/controller.ts";
import { applyCrds } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import type { Resource } from "../../support/kubectl.ts";
import { BINARY } from "../../support/paths.ts";
import { withPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { tee } from "../../support/tee.ts";
import { type TempDir, tempDir } from "../../support/tmp.ts";

const TITLE = /^SIGSEGV at 0xdead in crash_here ← end ← main/;
const MAX_OBJECT_BYTES = 32 << 10;

describe("why a pod crashed", { skip: needs("root", "cluster", "binary") }, () => {
  let cluster: Cluster;
  let folder: TempDir;
  let agent: Agent;
  let controller: Controller;

  const dumpDir = () => join(folder.path, "cache");
  const endpoint = () => `--cri-endpoint=${join(cluster.nodeFolder(), "run/containerd.sock")}`;

  before(async () => {
    [cluster, folder] = [await startCluster({ node: true }), tempDir()];
    await applyCrds(cluster);
    const store = join(folder.path, "store");
    mkdirSync(store);
    await cluster.kubectl("create", "namespace", "coredump-system");
    controller = await Controller.start(cluster.kubeconfig);
    agent = await Agent.start(
      ...[`-c=${cluster.kubeconfig}`, `-d=${dumpDir()}`, "--node-name=node-1", endpoint(), `--store=${store}`],
    );
  });
  after(async () => {
    await agent?.[Symbol.asyncDispose]();
    await controller?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    folder?.[Symbol.dispose]();
  });

  /** A pod of this name crashes under our handler. */
  async function crash(namespace: string, name: string, ...flags: string[]): Promise<void> {
    const containers = [{ name: "app", image: "localhost/testbed:1", command: ["/bin/crash", "0"] }];
    using behind = tee([BINARY, `-d=${dumpDir()}`, endpoint(), ...flags]);
    await withPattern(behind.pattern(KERNEL_ARGUMENTS), async () => {
      const spec = { restartPolicy: "Never", terminationGracePeriodSeconds: 1, containers };
      await cluster.in(namespace).send("create", { apiVersion: "v1", kind: "Pod", metadata: { name }, spec });
      assert.equal((await cluster.ended(namespace, name)).exitCode, 139);
      await behind.crashes(1);
    });
  }

  const coredump = (namespace: string, ...states: string[]): Promise<Resource> =>
    eventually(async () => {
      const { items } = await cluster.in(namespace).get("coredumps");
      const found = items.find(({ status }: Resource) => states.includes(status?.state));
      assert.ok(found, `${JSON.stringify(items.map(({ status }: Resource) => status))}\n${agent.said}`);
      return found;
    });

  function assertExplained({ status, metadata, ...more }: Resource): void {
    assert.match(status.crash.title, TITLE);
    assert.deepEqual(
      status.crash.stack.slice(0, 3).map((frame: Resource) => frame["function"]),
      ["crash_here", "end", "main"],
    );
    assert.equal(metadata["labels"]["coredump.fujitsu.com/crash"], status.crash.fingerprint);
    assert.ok(JSON.stringify({ status, metadata, ...more }).length < MAX_OBJECT_BYTES);
  }

  test("is on the pod, in the list, and to be selected by", async () => {
    const namespace = await cluster.namespace();
    const user = cluster.in(namespace);
    const kubectl = (...args: string[]) => user.kubectl(...args);
    await crash(namespace, "web");
    const saved = await coredump(namespace, "Saved");
    assertExplained(saved);
    await eventually(async () => {
      const description = await kubectl("describe", "pod", "web");
      assert.match(description, /SIGSEGV at 0xdead in crash_here ← end ← main/);
      assert.match(description, /stack: crash_here ← end ← main/);
    });
    const table = await kubectl("get", "coredumps");
    assert.match(table, /\bCRASH\b[\s\S]*SIGSEGV at 0xdead in crash_here/);
    const fingerprint = saved["status"].crash.fingerprint;
    for (const selector of [
      `--selector=coredump.fujitsu.com/crash=${fingerprint}`,
      `--field-selector=status.crash.fingerprint=${fingerprint}`,
    ])
      assert.equal((await kubectl("get", "coredumps", selector, "-o", "name")).trim().split("\n").length, 1, selector);
    assert.equal(
      (
        await kubectl("get", "coredumps", "--field-selector=status.crash.fingerprint=000000000000", "-o", "name")
      ).trim(),
      "",
    );
  });

  test("is told of a dump that the node refused, and of one that the quota denied", async () => {
    const [refused, denied] = [await cluster.namespace(), await cluster.namespace()];
    await crash(refused, "big", "--max-dump-size=1");
    assertExplained(await coredump(refused, "Refused"));
    await cluster.in(denied).send("create", {
      apiVersion: "coredump.fujitsu.com/v1",
      kind: "CoredumpQuota",
      metadata: { name: "none" },
      spec: { hard: "0" },
    });
    await crash(denied, "over");
    assertExplained(await coredump(denied, "Denied"));
  });

  test("is not known of an older object, which stays as it is", async () => {
    const namespace = await cluster.namespace();
    await crash(namespace, "old", "--crash=off");
    const { status, metadata } = await coredump(namespace, "Saved");
    assert.equal(status.crash ?? null, null);
    assert.equal(metadata["labels"]["coredump.fujitsu.com/crash"], undefined);
    await cluster.in(namespace).kubectl("annotate", "coredump", String(metadata["name"]), "note=read");
  });
});
