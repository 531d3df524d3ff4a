/** Who may write Coredumps: our own parts, each its share, and nobody else, whatever roles there are. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import {
  applyCrds,
  applyPolicy,
  coredump,
  letAgentsDecide,
  POLICIES,
  statusPatch,
} from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import type { User } from "../../support/kubectl.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster");
const ONLY_OURS = /only the parts of coredump-detector write Coredumps/;
const merge = (change: object): string[] => ["--type=merge", "--patch", JSON.stringify(change)];

describe("the admission policy", { skip }, () => {
  let cluster: Cluster;
  let admin: User;
  /** By name: tenants, agents, the controller, the collector. */
  let as: Record<string, User>;
  let namespace: string;

  before(async () => {
    cluster = await startCluster();
    namespace = await cluster.namespace();
    admin = cluster.in(namespace);
    await applyCrds(cluster);
    // Everyone has every right, cluster-wide: what is refused below, the policy refuses.
    const groups = ["system:serviceaccounts", "everyone"].flatMap((group) => ["--group", group]);
    await cluster.send("create", {
      ...{ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name: "all" } },
      rules: [{ apiGroups: ["coredump.fujitsu.com"], resources: ["*"], verbs: ["*"] }],
    });
    await cluster.kubectl("create", "clusterrolebinding", "all", "--clusterrole=all", ...groups);
    await applyPolicy(cluster, await cluster.user("probe", "everyone"), namespace);
    for (const name of ["coredump-agent", "coredump-controller", "coredump-gc", "coredump-api"])
      await cluster.in("coredump-system").kubectl("create", "serviceaccount", name);
    await admin.kubectl("create", "serviceaccount", "coredump-agent"); // a tenant's, of a telling name
    for (const name of ["node-1", "node-2"])
      await cluster.send("create", { apiVersion: "v1", kind: "Node", metadata: { name } });
    const system = (name: string, node?: string): Promise<User> =>
      cluster.serviceAccount("coredump-system", name, node);
    as = {
      tenant: await cluster.user("tenant", "everyone"),
      impostor: await cluster.serviceAccount(namespace, "coredump-agent", "node-1"),
      agent: await system("coredump-agent", "node-1"),
      otherAgent: await system("coredump-agent", "node-2"),
      unbound: await system("coredump-agent"),
      outside: await cluster.user("coredump-node:node-1", "everyone"),
      otherOutside: await cluster.user("coredump-node:node-2", "everyone"),
      controller: await system("coredump-controller"),
      collector: await system("coredump-gc"),
      server: await system("coredump-api"),
    };
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  const who = (name: string): User => (as[name] ?? assert.fail(name)).in(namespace);

  /** An object of node-1 in that state, as its agent would have left it. */
  async function given(name: string, state?: string): Promise<void> {
    await admin.send("create", coredump(name));
    if (state) await admin.kubectl("patch", "coredump", name, ...statusPatch({ state }));
  }

  const setState = (state: string | null): string[] => statusPatch({ state });

  for (const agent of ["agent", "outside"])
    test(`an ${agent === "agent" ? "agent" : "agent outside of the cluster"} writes the dumps of its node`, async () => {
      const name = `own-${agent}`;
      await who(agent).send("create", coredump(name));
      await who(agent).kubectl("patch", "coredump", name, ...merge({ spec: { size: "1Gi" } }));
      await who(agent).kubectl("patch", "coredump", name, ...setState("Created"));
      await admin.kubectl("patch", "coredump", name, ...setState("Allowed"));
      await who(agent).kubectl("patch", "coredump", name, ...merge({ spec: { volume: "cores" } }));
      await who(agent).kubectl("patch", "coredump", name, ...setState("Saved"));
    });

  for (const thief of ["otherAgent", "otherOutside", "unbound"])
    test(`an agent of another node (${thief}) writes none of them`, async () => {
      const name = `others-${thief.toLowerCase()}`;
      assert.match(await who(thief).sendRefusal("create", coredump(name)), /may not write a dump of node "node-1"/);
      await given(name, "Allowed");
      for (const change of [
        setState("Saved"),
        merge({ spec: { size: 1 } }),
        merge({ metadata: { labels: { a: "b" } } }),
      ])
        assert.match(
          await who(thief).refusal("patch", "coredump", name, ...change),
          /may not write a dump of node "node-1"/,
        );
    });

  test("an agent writes no dump of another node, or of none, and cannot move one to its own", async () => {
    const other = coredump("elsewhere", { node: "node-2" });
    assert.match(
      await who("agent").sendRefusal("create", other),
      /the agent of node node-1 may not write a dump of node "node-2"/,
    );
    assert.match(await who("agent").sendRefusal("create", coredump("nowhere", { node: undefined })), /may not write/);
    await admin.send("create", other);
    const moved = merge({ spec: { node: "node-1" } });
    assert.match(await who("agent").refusal("patch", "coredump", "elsewhere", ...moved), /may not write|never changes/);
  });

  for (const stranger of ["tenant", "impostor", "server"])
    test(`the ${stranger} gets, lists and deletes, and neither creates nor changes anything`, async () => {
      const name = `read-by-${stranger}`;
      await given(name, "Saved");
      const user = who(stranger);
      assert.match(await user.sendRefusal("create", coredump("mine")), ONLY_OURS);
      assert.match(await user.sendRefusal("create", coredump("mine", { node: "node-2" })), ONLY_OURS);
      const changes = [
        merge({ spec: { volume: "elsewhere" } }),
        merge({ metadata: { labels: { a: "b" } } }),
        merge({ metadata: { finalizers: ["example.com/mine"] } }),
        setState("Allowed"),
        statusPatch({ key: "other/namespace" }),
      ];
      for (const change of changes)
        assert.match(await user.refusal("patch", "coredump", name, ...change), ONLY_OURS, change.join(" "));
      const { kind, metadata, apiVersion, spec } = coredump(name, { volume: "elsewhere" });
      const applied = { apiVersion, kind, metadata, spec };
      assert.match(await user.sendRefusal("apply", applied, "--server-side", "--force-conflicts"), ONLY_OURS);
      assert.equal((await user.get("coredump", name)).metadata["name"], name);
      assert.match(await user.kubectl("get", "coredumps"), new RegExp(name));
      await user.kubectl("delete", "coredump", name);
    });

  test("an agent does not decide about the quota, until it is told to", async () => {
    await given("undecided", "Created");
    for (const state of ["Allowed", "Denied"])
      assert.match(
        await who("agent").refusal("patch", "coredump", "undecided", ...setState(state)),
        /an agent does not decide/,
      );
    await letAgentsDecide(cluster, true);
    try {
      await eventually(() => who("agent").kubectl("patch", "coredump", "undecided", ...setState("Allowed")));
    } finally {
      await letAgentsDecide(cluster, false);
    }
  });

  test("the controller decides about what is Created, and says nothing else", async () => {
    await given("decided", "Created");
    const user = who("controller");
    assert.match(await user.sendRefusal("create", coredump("by-controller")), /only an agent says what crashed/);
    const volume = merge({ spec: { volume: "elsewhere" } });
    assert.match(await user.refusal("patch", "coredump", "decided", ...volume), /only an agent says what crashed/);
    assert.match(await user.refusal("patch", "coredump", "decided", ...setState("Saved")), /the controller decides/);
    await user.kubectl("patch", "coredump", "decided", ...setState("Denied"));
    await user.kubectl("patch", "coredump", "decided", ...statusPatch({ repeats: 3 }));
    await given("stored", "Saved");
    assert.match(await user.refusal("patch", "coredump", "stored", ...setState("Denied")), /the controller decides/);
    await user.kubectl("delete", "coredump", "stored");
  });

  test("the collector says that a dump is Deleted, and nothing else", async () => {
    await given("collected", "Saved");
    const user = who("collector");
    assert.match(await user.sendRefusal("create", coredump("by-collector")), /only an agent says what crashed/);
    assert.match(await user.refusal("patch", "coredump", "collected", ...setState("Allowed")), /the collector says/);
    await user.kubectl("patch", "coredump", "collected", ...statusPatch({ message: "the bundle is missing" }));
    await user.kubectl("patch", "coredump", "collected", ...setState("Deleted"));
    await user.kubectl("delete", "coredump", "collected");
  });

  test("nobody but Kubernetes gives a Coredump a finalizer, and those that a deletion needs work", async () => {
    await given("final", "Saved");
    const finalizer = merge({ metadata: { finalizers: ["example.com/stays"] } });
    for (const one of ["agent", "controller", "collector"])
      assert.match(await who(one).refusal("patch", "coredump", "final", ...finalizer), /gets no finalizer/, one);
    // The garbage collector has to take this deletion's finalizer away.
    await who("tenant").kubectl("delete", "coredump", "final", "--cascade=orphan", "--timeout=60s");
  });

  test("taken away and put back, as by removing and installing all again, it is in force each time", async () => {
    for (const round of [1, 2, 3]) {
      await cluster.kubectl("delete", "--filename", POLICIES);
      await eventually(() => who("tenant").send("create", coredump(`unguarded-${round}`)));
      await cluster.kubectl("apply", "--filename", POLICIES);
      await eventually(async () => {
        assert.match(await who("tenant").sendRefusal("create", coredump(`probe-${round}`)), ONLY_OURS);
      });
      await who("agent").send("create", coredump(`round-${round}`));
    }
  });

  test("a namespace goes away under it", async () => {
    await cluster.kubectl("delete", "namespace", namespace, "--timeout=60s");
  });
});
