/** A crash in a pod whose copy takes long: its object is there meanwhile. And what follows objects without a watch. */
import assert from "node:assert/strict";
import { globSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DumpError } from "../../../src/domain/failures.ts";
import { connect } from "../../../src/kube/http.ts";
import { follow } from "../../../src/kube/informer.ts";
import type { KubeObject } from "../../../src/kube/objects.ts";
import { takeSlot } from "../../../src/node/cache/slots.ts";
import { Spool } from "../../../src/node/cache/spool.ts";
import { AgentNode } from "../../support/agent-node.ts";
import { KERNEL_ARGUMENTS } from "../../support/captured.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds, coredump } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import type { Resource } from "../../support/kubectl.ts";
import { BINARY } from "../../support/paths.ts";
import { withPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { tee } from "../../support/tee.ts";

const skip = needs("root", "cluster", "binary");

/** A handler that waits for its turn to copy: as if the copy took as long as the test wants. */
async function slowly(dumpDir: string): Promise<{ goOn(): void }> {
  mkdirSync(dumpDir, { recursive: true, mode: 0o700 });
  const slot = await takeSlot(Spool.open(dumpDir, true), 1, 0);
  assert.ok(slot);
  return { goOn: () => slot[Symbol.dispose]() };
}

const handlersOf = (dumpDir: string): number[] =>
  globSync("/proc/[0-9]*/cmdline")
    .filter((path) => {
      try {
        return readFileSync(path, "latin1").startsWith(`${BINARY}\0-d=${dumpDir}\0`);
      } catch {
        return false; // it has just ended
      }
    })
    .map((path) => Number(path.split("/")[2]));

describe("a long copy", { skip }, () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await startCluster({ node: true });
    await applyCrds(cluster);
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  /** Crashes a pod, and `then` the copy ends. @returns its object while that lasted, and when it is in its last state */
  async function crashed(
    node: AgentNode,
    namespace: string,
    last: string,
    then: (goOn: () => void) => unknown,
  ): Promise<[during: Resource, end: Resource]> {
    const endpoint = `--cri-endpoint=${join(cluster.nodeFolder(), "run/containerd.sock")}`;
    const { goOn } = await slowly(node.dumpDir);
    await using agent = await node.agent("--admission=all", endpoint);
    using behind = tee([BINARY, `-d=${node.dumpDir}`, endpoint, "--max-dumps=1", "--slot-wait=100s"]);
    const containers = [{ name: "app", image: "localhost/testbed:1", command: ["/bin/crash"] }];
    const spec = { restartPolicy: "Never", terminationGracePeriodSeconds: 1, containers };
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "web-0" }, spec };
    const during = await withPattern(behind.pattern(KERNEL_ARGUMENTS), async () => {
      await cluster.in(namespace).send("create", pod);
      const only = await eventually(() => theOnly(namespace, "Capturing", agent.said));
      await then(goOn);
      await behind.crashes(1);
      return only;
    });
    const end = await eventually(() => theOnly(namespace, last, agent.said));
    assert.deepEqual([end.metadata["uid"], end["spec"].id], [during.metadata["uid"], during["spec"].id]);
    return [during, end];
  }

  async function theOnly(namespace: string, state: string, said: string): Promise<Resource> {
    const { items } = await cluster.in(namespace).get("coredumps");
    assert.deepEqual(
      items.map(({ status }: Resource) => status?.state),
      [state],
      said,
    );
    return items[0];
  }

  test("is seen while it lasts, without a size, and becomes the dump that it is", async () => {
    using node = new AgentNode(cluster.kubeconfig);
    const namespace = await cluster.namespace();
    const table = () => cluster.in(namespace).kubectl("get", "coredumps");
    const [during, end] = await crashed(node, namespace, "Saved", async (goOn) => {
      assert.match(await table(), /^web-0-crash-[0-9a-f]{12} +Capturing +web-0 +app +crash +SIG/m);
      goOn();
    });
    assert.deepEqual([during["spec"].size, Number(end["spec"].size) > 0], [undefined, true]);
    assert.match(await table(), / Saved .* SIG\w+ +\d+(\.\d)?[KM]i +node-1 /);
  });

  test("whose handler is killed is finished by the agent, in the same object", async () => {
    using node = new AgentNode(cluster.kubeconfig);
    const [, end] = await crashed(node, await cluster.namespace(), "Lost", () => {
      for (const pid of handlersOf(node.dumpDir)) process.kill(pid, "SIGKILL");
    });
    assert.equal(end["status"].reason, "NothingReceived");
  });

  test("follow() keeps up by lists where watching is not granted, and says so", async () => {
    const namespace = await cluster.namespace();
    const user = await cluster.user("lister");
    const rules = ["--verb=get,list", "--resource=coredumps.coredump.fujitsu.com"];
    await cluster.in(namespace).kubectl("create", "role", "lister", ...rules);
    await cluster.in(namespace).kubectl("create", "rolebinding", "lister", "--role=lister", "--user=lister");
    const stop = new AbortController();
    const [names, problems]: [Set<string>, unknown[]] = [new Set(), []];
    const follower = {
      listed: ({ metadata }: KubeObject) => void names.add(metadata.name),
      listEnded() {},
      changed: () => assert.fail("there is no watch"),
      deleted: () => assert.fail("there is no watch"),
    };
    const kind = { resource: "coredumps", path: `/apis/coredump.fujitsu.com/v1/namespaces/${namespace}/coredumps` };
    const http = await connect(user.kubeconfig);
    const following = follow(
      http,
      kind,
      follower,
      (problem) => problems.push(problem),
      stop.signal,
      () => 50,
    );
    try {
      await eventually(() => assert.ok(problems.some((problem) => problem instanceof DumpError)));
      await cluster.in(namespace).send("create", coredump("late"));
      await eventually(() => assert.ok(names.has("late")));
      const [problem] = problems;
      assert.ok(problem instanceof DumpError && problem.code === "API_DENIED", String(problem));
      assert.match(problem.message, /cannot watch resource "coredumps"/);
    } finally {
      stop.abort();
      await following;
    }
  });
});
