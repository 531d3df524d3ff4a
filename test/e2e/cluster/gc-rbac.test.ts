/** The collector with the rights of install/rbac and under the policy of install/admission: enough, and none too many. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { ApiServer } from "../../support/apiserver.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds, applyPolicy } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import { BundleFolder, Gc, savedDump } from "../../support/gc.ts";
import type { Resource, User } from "../../support/kubectl.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";
import { type TempDir, tempDir } from "../../support/tmp.ts";

const skip = needs("root", "cluster");

const ROLES: readonly Resource[] = skip
  ? []
  : parseAllDocuments(readFileSync(join(ROOT, "install/rbac/gc.yaml"), "utf8")).map((document) => document.toJS());

/** Each right that the roles grant. */
const RIGHTS = ROLES.filter(({ kind }) => ["Role", "ClusterRole"].includes(kind)).flatMap((role) =>
  (role["rules"] as { resources: string[]; verbs: string[] }[]).flatMap(({ resources, verbs }, rule) =>
    verbs.map((verb) => ({ kind: role.kind, rule, verb, resource: resources[0] ?? "" })),
  ),
);
const GONE_POD = "0d9c1f9e-0000-4000-8000-000000000001";

describe("the collector's rights", { skip }, () => {
  let cluster: Cluster;
  let itself: User;
  let server: ApiServer;
  let dir: TempDir;
  let store: BundleFolder;

  before(async () => {
    cluster = await startCluster();
    await applyCrds(cluster);
    await cluster.kubectl("create", "clusterrolebinding", "probe", "--clusterrole=cluster-admin", "--user=probe");
    await applyPolicy(cluster, await cluster.user("probe"), await cluster.namespace());
    for (const role of ROLES) await cluster.send("apply", role);
    itself = await cluster.serviceAccount("coredump-system", "coredump-gc");
    dir = tempDir();
    store = new BundleFolder(dir.path);
    server = await ApiServer.start(cluster, { store: ["--store", dir.path] });
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    dir?.[Symbol.dispose]();
  });

  const start = (...flags: readonly string[]): Promise<Gc> =>
    Gc.start(itself.kubeconfig, "--store", dir.path, "--gc-threshold", "0s", ...flags);

  /** Something for each of its rights: a bundle of a pod that is gone, a record that is old, endpoints to make and remove. */
  async function work() {
    const namespace = await cluster.get("namespace", await cluster.namespace());
    const within = cluster.in(namespace.metadata["name"]);
    const [dump, old] = [
      await savedDump(cluster, namespace, GONE_POD),
      await savedDump(cluster, namespace, GONE_POD, { state: "Denied" }),
    ];
    store.put(dump.key);
    const containers = [{ name: "nginx", image: "none" }];
    const metadata = { name: "web", labels: { coredumpendpoint: "auto" } };
    await within.send("create", { apiVersion: "v1", kind: "Pod", metadata, spec: { containers } });
    const spec = { podname: "gone", poduid: GONE_POD };
    await within.send("create", {
      apiVersion: "coredump.fujitsu.com/v1alpha1",
      kind: "CoredumpEndpoint",
      metadata: { name: "gone" },
      spec,
    });
    return { within, dump, old };
  }

  test("are enough for all that it does", async () => {
    const { within, dump, old } = await work();
    await using gc = await start();
    await eventually(async () => {
      assert.ok(!existsSync(join(dir.path, dump.key)));
      assert.equal((await within.get("coredump", dump.name))["status"].state, "Deleted");
      assert.match(await within.kubectl("get", "coredumpendpoints"), /web-/);
      assert.match(await within.refusal("get", "coredumpendpoint", "gone"), /not found/);
    });
    await gc.end();
    assert.deepEqual(
      gc.log.filter(({ level }) => level > 30),
      [],
    );
    await using older = await start("--max-age", "1s");
    await eventually(async () => assert.match(await within.refusal("get", "coredump", old.name), /not found/));
    assert.deepEqual(await older.ask("/readyz"), { status: 200, text: "ok\n" });
    await older.end();
  });

  for (const { kind, rule, verb, resource } of RIGHTS) {
    test(`without "${verb} ${resource}" it says which right is missing`, async () => {
      const role = structuredClone(ROLES.find((each) => each.kind === kind)) as Resource;
      const others = role["rules"][rule].verbs.filter((each: string) => each !== verb);
      role["rules"][rule].verbs = [...others, "deletecollection"]; // a rule without a verb is none
      if (resource === "leases")
        await cluster.in("coredump-system").kubectl("delete", "lease", "coredump-gc", "--ignore-not-found");
      if (/^(get|patch|create|delete) (coredump|events)/.test(`${verb} ${resource}`)) await work();
      await cluster.send("apply", role);
      const alarming = resource === "events" ? ["--max-at-once", "0", "--max-share", "0"] : [];
      const old = `${verb} ${resource}` === "delete coredumps" ? ["--max-age", "1s"] : [];
      await using gc = await start(...alarming, ...old);
      await eventually(async () => {
        const told = gc.log.find(
          ({ code, msg }) => code === "API_DENIED" && msg.includes(`cannot ${verb} resource "${resource}"`),
        );
        assert.match(told?.hint ?? gc.said, /install\/rbac/);
        const { status, text } = await gc.ask("/readyz");
        assert.equal(status, 503);
        assert.match(text, new RegExp(`cannot ${verb} resource`));
      });
      await gc.end();
      for (const whole of ROLES) await cluster.send("apply", whole);
    });
  }
});
