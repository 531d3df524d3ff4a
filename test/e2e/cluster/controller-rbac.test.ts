/** The controller with the rights of install/rbac and under the policy of install/admission: enough, and none too many. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { connect, type KubeHttp } from "../../../src/kube/http.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { Controller, Dumps } from "../../support/controller.ts";
import { applyCrds, applyPolicy } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import type { Resource, User } from "../../support/kubectl.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster", "binary");

const ROLES: readonly Resource[] = skip
  ? []
  : parseAllDocuments(readFileSync(join(ROOT, "install/rbac/controller.yaml"), "utf8")).map((document) =>
      document.toJS(),
    );

/** Each right that the roles grant. */
const RIGHTS = ROLES.filter(({ kind }) => ["Role", "ClusterRole"].includes(kind)).flatMap((role) =>
  (role["rules"] as { resources: string[]; verbs: string[] }[]).flatMap(({ resources, verbs }, rule) =>
    // One is needed only to look again when another wrote in between.
    verbs
      .filter((verb) => `${verb} ${resources[0]}` !== "get coredumpquotas")
      .map((verb) => ({ kind: role.kind, rule, verb, resource: resources[0] ?? "" })),
  ),
);

describe("the controller's rights", { skip }, () => {
  let cluster: Cluster;
  let http: KubeHttp;
  let itself: User;

  before(async () => {
    cluster = await startCluster();
    await applyCrds(cluster);
    await cluster.kubectl("create", "clusterrolebinding", "probe", "--clusterrole=cluster-admin", "--user=probe");
    await applyPolicy(cluster, await cluster.user("probe"), await cluster.namespace());
    for (const role of ROLES) await cluster.send("apply", role);
    itself = await cluster.serviceAccount("coredump-system", "coredump-controller");
    http = await connect(cluster.kubeconfig);
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  /** Something for each of its rights: to allow, to deny, to count and remove, a node to label. */
  async function work(name: string): Promise<Dumps> {
    const dumps = new Dumps(http, await cluster.namespace());
    await dumps.quota("default", "1Mi");
    await dumps.crash("allowed", "1Mi");
    for (const denied of ["denied-1", "denied-2"]) await dumps.crash(denied, "1Mi");
    await cluster.send("create", { apiVersion: "v1", kind: "Node", metadata: { name } });
    await cluster.send("create", {
      ...{ apiVersion: "coordination.k8s.io/v1", kind: "Lease" },
      metadata: { name: `coredump-node-${name}`, namespace: "coredump-system" },
      spec: { holderIdentity: name, leaseDurationSeconds: 600 },
    });
    return dumps;
  }

  test("are enough for all that it does", async () => {
    const dumps = await work("node-all");
    await using controller = await Controller.start(itself.kubeconfig, "--max-records", "1");
    await eventually(async () => {
      assert.deepEqual(await dumps.states(), { allowed: "Allowed", "denied-2": "Denied" });
      assert.equal((await cluster.get("node", "node-all")).metadata["labels"]?.coredump, "true");
    });
    assert.deepEqual(await controller.ask("/readyz"), { status: 200, text: "ok\n" });
    assert.deepEqual(
      controller.log.filter(({ level }) => level > 30),
      [],
    );
    await controller.end();
  });

  for (const [index, { kind, rule, verb, resource }] of RIGHTS.entries()) {
    test(`without "${verb} ${resource}" it says which right is missing`, async () => {
      const role = structuredClone(ROLES.find((each) => each.kind === kind)) as Resource;
      const others = role["rules"][rule].verbs.filter((each: string) => each !== verb);
      role["rules"][rule].verbs = [...others, "deletecollection"]; // a rule without a verb is none
      if (resource === "leases") await freeLease();
      await cluster.send("apply", role);
      await work(`node-${index}`);
      await using controller = await Controller.start(itself.kubeconfig, "--max-records", "1");
      await eventually(() => {
        const told = controller.log.find(({ code }) => code === "API_DENIED");
        assert.match(told?.msg ?? controller.said, new RegExp(`cannot ${verb} resource "${resource}"`));
        assert.match(told?.hint ?? "", /install\/rbac/);
      });
      const { status, text } = await controller.ask("/readyz");
      assert.equal(status, 503);
      assert.match(text, new RegExp(`cannot ${verb} resource`));
      await controller.end();
      for (const whole of ROLES) await cluster.send("apply", whole);
    });
  }

  const freeLease = () =>
    cluster.in("coredump-system").kubectl("delete", "lease", "coredump-controller", "--ignore-not-found");
});
