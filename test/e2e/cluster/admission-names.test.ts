/** What a node's or a part's stolen token may write besides Coredumps: Leases, Secrets, APIServices of the names that are its own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { RETIRE, RETIRED } from "../../../src/cluster/policy/retirement.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds, applyPolicy } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import type { Resource, User } from "../../support/kubectl.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster");
const SYSTEM = "coredump-system";
const merge = (metadata: object): string[] => ["--type=merge", "--patch", JSON.stringify({ metadata })];
const renewal = JSON.stringify({ spec: { renewTime: "2026-11-21T07:21:03.512000Z" } });
const renew = ["--type=merge", "--patch", renewal];

const lease = (name: string, metadata: object = {}): Resource => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name, namespace: SYSTEM, ...metadata },
  spec: { holderIdentity: name, leaseDurationSeconds: 40 },
});
const secret = (name: string): Resource => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace: SYSTEM },
});
const apiService = (version: string, group: string): Resource => ({
  apiVersion: "apiregistration.k8s.io/v1",
  kind: "APIService",
  metadata: { name: `${version}.${group}` },
  spec: {
    ...{ group, version, groupPriorityMinimum: 1, versionPriority: 1 },
    service: { namespace: SYSTEM, name: "coredump-api" },
    insecureSkipTLSVerify: true,
  },
});

describe("the names that our parts may write", { skip }, () => {
  let cluster: Cluster;
  let as: Record<"agent" | "unbound" | "outside" | "controller" | "collector" | "webhook", User>;

  before(async () => {
    cluster = await startCluster();
    await applyCrds(cluster);
    await cluster.kubectl("create", "clusterrolebinding", "probe", "--clusterrole=cluster-admin", "--user=probe");
    await applyPolicy(cluster, await cluster.user("probe"), await cluster.namespace());
    await cluster.kubectl("apply", "--filename", join(ROOT, "install/rbac"));
    // More than our roles give, so that it is the policy that refuses.
    const rights = ["--verb=get,list,create,update,patch", "--resource=leases,secrets,apiservices"];
    await cluster.kubectl("create", "clusterrole", "more", ...rights);
    const who = ["--group=system:serviceaccounts:coredump-system", "--user=coredump-node:node-1"];
    await cluster.kubectl("create", "clusterrolebinding", "more", "--clusterrole=more", ...who);
    for (const name of ["node-1", "node-2"])
      await cluster.send("create", { apiVersion: "v1", kind: "Node", metadata: { name } });
    const system = (name: string, node?: string): Promise<User> => cluster.serviceAccount(SYSTEM, name, node);
    as = {
      agent: await system("coredump-agent", "node-1"),
      unbound: await system("coredump-agent"),
      outside: await cluster.user("coredump-node:node-1"),
      controller: await system("coredump-controller"),
      collector: await system("coredump-gc"),
      webhook: await system("coredump-webhook"),
    };
    for (const name of ["coredump-node-node-2", "coredump-controller"]) await cluster.send("create", lease(name));
    await eventually(async () => {
      assert.match(await as.agent.sendRefusal("create", lease("probe"), "--dry-run=server"), /may not write leases/);
    });
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  for (const one of ["agent", "outside"] as const)
    test(`an agent (${one}) writes its own node's Lease, and says there that it is retired`, async () => {
      const user = as[one].in(SYSTEM);
      await user.send("create", lease("coredump-node-node-1"));
      await user.kubectl("patch", "lease", "coredump-node-node-1", ...renew);
      await user.kubectl("patch", "lease", "coredump-node-node-1", ...merge({ annotations: { [RETIRED]: "done" } }));
      await cluster.in(SYSTEM).kubectl("delete", "lease", "coredump-node-node-1");
    });

  const others = ["coredump-node-node-2", "coredump-controller", "coredump-gc", "anything"];
  for (const one of ["agent", "outside", "unbound"] as const)
    test(`an agent (${one}) makes and changes no other Lease: not another node's, not the lead`, async () => {
      const user = as[one].in(SYSTEM);
      for (const name of others)
        assert.match(await user.sendRefusal("create", lease(name), "--dry-run=server"), /may not write leases/, name);
      for (const name of ["coredump-node-node-2", "coredump-controller"]) {
        assert.match(await user.refusal("patch", "lease", name, ...renew), /may not write leases/, name);
        const retired = merge({ annotations: { [RETIRE]: "2026-01-01T00:00:00Z" } });
        assert.match(await user.refusal("patch", "lease", name, ...retired), /may not write leases/, name);
      }
    });

  test("an agent retires no node, its own neither, and takes no order back", async () => {
    const user = as.agent.in(SYSTEM);
    const order = { annotations: { [RETIRE]: "2026-01-01T00:00:00Z" } };
    assert.match(await user.sendRefusal("create", lease("coredump-node-node-1", order)), /retires no node/);
    await user.send("create", lease("coredump-node-node-1"));
    assert.match(await user.refusal("patch", "lease", "coredump-node-node-1", ...merge(order)), /retires no node/);
    await cluster.in(SYSTEM).kubectl("patch", "lease", "coredump-node-node-1", ...merge(order));
    const back = merge({ annotations: { [RETIRE]: null } });
    assert.match(await user.refusal("patch", "lease", "coredump-node-node-1", ...back), /retires no node/);
    await user.kubectl("patch", "lease", "coredump-node-node-1", ...renew);
    const stays = merge({ finalizers: ["example.com/stays"] });
    assert.match(await user.refusal("patch", "lease", "coredump-node-node-1", ...stays), /gets no finalizer/);
    const owner = { apiVersion: "apps/v1", kind: "DaemonSet", name: "coredump-agent", uid: "1" };
    const owned = (change: object) => merge({ ownerReferences: [{ ...owner, ...change }] });
    for (const other of [{ kind: "Deployment" }, { name: "others" }, { blockOwnerDeletion: true }])
      assert.match(
        await user.refusal("patch", "lease", "coredump-node-node-1", ...owned(other)),
        /gets no owner but the agents' DaemonSet/,
      );
    await user.kubectl("patch", "lease", "coredump-node-node-1", ...owned({}));
  });

  const CASES: readonly {
    who: "controller" | "collector" | "webhook" | "agent";
    may: Resource[];
    mayNot: Resource[];
  }[] = [
    {
      who: "controller",
      may: [apiService("v1alpha1", "coredump.fujitsu.com")],
      mayNot: [apiService("v1", "apps.example"), lease("coredump-gc"), lease("coredump-node-node-3"), secret("own")],
    },
    { who: "collector", may: [lease("coredump-gc")], mayNot: [lease("coredump-node-node-3"), secret("own")] },
    { who: "webhook", may: [secret("coredump-webhook")], mayNot: [secret("servercrt"), lease("coredump-gc")] },
    { who: "agent", may: [], mayNot: [secret("own"), apiService("v1", "apps.example")] },
  ];
  for (const { who, may, mayNot } of CASES)
    test(`the ${who} makes what is its own, and nothing else`, async () => {
      for (const object of may) await as[who].send("create", object, "--dry-run=server");
      for (const object of mayNot)
        assert.match(
          await as[who].sendRefusal("create", object, "--dry-run=server"),
          /may not write/,
          object.metadata["name"],
        );
    });

  test("others are not looked at", async () => {
    await cluster.send("create", lease("somebody-elses"), "--dry-run=server");
  });
});
