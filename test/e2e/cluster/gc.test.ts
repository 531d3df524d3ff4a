/** The collector on a real cluster, with its own rights and under the admission policy; the store is a directory. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { endpointOf } from "../../../src/cluster/policy/retention.ts";
import { ApiServer } from "../../support/apiserver.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds, applyPolicy, statusPatch } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import { BundleFolder, Gc, type StoredDump, savedDump } from "../../support/gc.ts";
import type { Resource, User } from "../../support/kubectl.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";
import { type TempDir, tempDir } from "../../support/tmp.ts";

const skip = needs("root", "cluster");
const GONE_POD = "0d9c1f9e-0000-4000-8000-000000000001";

describe("the collector", { skip }, () => {
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
    const roles = parseAllDocuments(readFileSync(join(ROOT, "install/rbac/gc.yaml"), "utf8"));
    for (const role of roles) await cluster.send("apply", role.toJS());
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
    Gc.start(itself.kubeconfig, "--store", dir.path, ...flags);
  const namespace = async (): Promise<Resource> => cluster.get("namespace", await cluster.namespace());
  const pod = (within: Resource, name: string, labels = {}): Promise<Resource> =>
    cluster.in(within.metadata["name"]).send("create", {
      ...{ apiVersion: "v1", kind: "Pod", metadata: { name, labels } },
      spec: { containers: [{ name: "nginx", image: "none" }] },
    });
  const coredump = (within: Resource, name: string) => cluster.in(within.metadata["name"]).get("coredump", name);
  const isThere = (key: string): boolean => existsSync(join(dir.path, key));

  test("removes a namespace's bundles when it goes, and leaves the others", async () => {
    const [going, staying] = [await namespace(), await namespace()];
    const [lost, kept] = [await savedDump(cluster, going, GONE_POD), await savedDump(cluster, staying, GONE_POD)];
    for (const { key } of [lost, kept]) store.put(key);
    await using gc = await start("--max-at-once", "1000");
    await gc.looksAgain();
    assert.ok(isThere(lost.key) && isThere(kept.key));
    await cluster.kubectl("delete", "namespace", going.metadata["name"], "--wait=false");
    await eventually(() => assert.ok(!isThere(lost.key)));
    await gc.looksAgain();
    assert.ok(isThere(kept.key));
    assert.deepEqual(await gc.ask("/readyz"), { status: 200, text: "ok\n" });
    assert.ok((await gc.metric('coredump_gc_removed_total{what="bundle",why="NamespaceDeleted"}')) >= 1);
    assert.equal(await gc.end(), 0);
  });

  test("removes a deleted namespace's bundles however many they are, and goes on, ready", async () => {
    const [going, staying] = [await namespace(), await namespace()];
    await using gc = await start();
    await gc.looksAgain();
    const lost: StoredDump[] = [];
    for (let n = 0; n < 70; n++) lost.push(await savedDump(cluster, going, GONE_POD));
    for (const { key } of lost) store.put(key);
    await cluster.kubectl("delete", "namespace", going.metadata["name"], "--wait=false");
    await eventually(() =>
      assert.ok(
        lost.every(({ key }) => !isThere(key)),
        gc.said,
      ),
    );
    const next = await savedDump(cluster, staying, GONE_POD);
    store.put(next.key);
    await cluster.in(staying.metadata["name"]).kubectl("delete", "coredump", next.name);
    await eventually(() => assert.ok(!isThere(next.key)));
    assert.deepEqual(await gc.ask("/readyz"), { status: 200, text: "ok\n" });
    assert.equal(await gc.metric("coredump_gc_alarm"), 0);
    assert.equal(await gc.end(), 0);
  });

  test("removes a deleted Coredump's bundle, and no other", async () => {
    const within = await namespace();
    const web = await pod(within, "web");
    const [lost, kept] = [
      await savedDump(cluster, within, web.metadata["uid"]),
      await savedDump(cluster, within, web.metadata["uid"]),
    ];
    for (const { key } of [lost, kept]) store.put(key);
    await using gc = await start("--max-at-once", "1000");
    await gc.looksAgain();
    await cluster.in(within.metadata["name"]).kubectl("delete", "coredump", lost.name);
    await eventually(() => assert.ok(!isThere(lost.key)));
    assert.ok(isThere(kept.key));
    // One that nobody saw go: what is left is a bundle without a Coredump.
    await gc.end();
    await cluster.in(within.metadata["name"]).kubectl("delete", "coredump", kept.name);
    await using next = await start("--max-at-once", "1000", "--orphan-grace", "1h");
    await next.looksAgain();
    assert.ok(isThere(kept.key));
    await next.end();
    await using third = await start("--max-at-once", "1000", "--orphan-grace", "1s");
    await eventually(() => assert.ok(!isThere(kept.key)));
    await third.end();
  });

  test("keeps a deleted pod's bundles and endpoint for a while, then only what its Coredump says", async () => {
    const within = await namespace();
    const name = within.metadata["name"];
    const web = await pod(within, "web", { coredumpendpoint: "auto" });
    const dump = await savedDump(cluster, within, web.metadata["uid"]);
    store.put(dump.key);
    const endpoint = endpointOf({ name: "web", uid: web.metadata["uid"] });
    await using gc = await start("--max-at-once", "1000", "--gc-threshold", "1h");
    const made = await eventually(() => cluster.in(name).get("coredumpendpoint", endpoint));
    assert.equal(made["spec"].poduid, web.metadata["uid"]);
    await cluster.in(name).kubectl("delete", "pod", "web", "--grace-period=0", "--force");
    await eventually(() =>
      assert.match(readFileSync(join(dir.path, ".coredump-detector-gc.json"), "utf8"), new RegExp(web.metadata["uid"])),
    );
    await gc.end();
    assert.ok(isThere(dump.key));
    await using next = await start("--max-at-once", "1000", "--gc-threshold", "3s"); // since the first one noticed
    await eventually(async () => {
      assert.ok(!isThere(dump.key));
      assert.match(await cluster.in(name).refusal("get", "coredumpendpoint", endpoint), /not found/);
    });
    const { status } = await coredump(within, dump.name);
    assert.deepEqual([status.state, status.reason], ["Deleted", "PodDeleted"]);
    assert.match(status.message, /its pod was deleted/);
    await next.end();
  });

  test("says of a Saved dump that its bundle is missing, until it is there again", async () => {
    const within = await namespace();
    const web = await pod(within, "web");
    const dump = await savedDump(cluster, within, web.metadata["uid"]);
    store.put("_host/node-1/sleep-20261121T072103512Z-31605-00000000ffff.tar.zst");
    const said = statusPatch({ reason: "Truncated", message: "cut short" });
    await cluster.in(within.metadata["name"]).kubectl("patch", "coredump", dump.name, ...said);
    await using gc = await start("--max-at-once", "1000");
    await eventually(async () => {
      const { status } = await coredump(within, dump.name);
      assert.equal(status.conditions?.find(({ type }: Resource) => type === "Stored")?.reason, "BundleMissing");
      assert.equal(status.state, "Saved");
    });
    store.put(dump.key);
    await eventually(async () => {
      const { status } = await coredump(within, dump.name);
      assert.equal(status.conditions?.find(({ type }: Resource) => type === "Stored")?.status, "True");
      assert.deepEqual([status.state, status.reason, status.message], ["Saved", "Truncated", "cut short"]);
    });
    await gc.end();
  });

  test("lets the oldest bundles of a namespace go, and the old ones of nobody", async () => {
    const within = await namespace();
    const web = await pod(within, "web");
    const [old, young] = [
      await savedDump(cluster, within, web.metadata["uid"]),
      await savedDump(cluster, within, web.metadata["uid"]),
    ];
    store.put(old.key, 600, 60_000);
    store.put(young.key, 600);
    const host = store.put("_host/node-1/sleep-20261121T072103512Z-31605-00000000aaaa.tar.zst", 10, 3_600_000);
    const recent = store.put("_host/node-1/sleep-20261121T072103512Z-31605-00000000bbbb.tar.zst", 10, 1000);
    const docker = store.put("_docker/node-1/c/sleep-20261121T072103512Z-31605-00000000cccc.tar.zst", 10, 3_600_000);
    const stranger = store.put("somebody/else.txt", 10, 3_600_000_000);
    await using gc = await start("--max-at-once", "1000", "--max-namespace-size", "1000", "--host-max-age", "30m");
    await eventually(() => assert.ok(!isThere(old.key) && !isThere(host)));
    for (const key of [young.key, recent, docker, stranger]) assert.ok(isThere(key), key);
    const { status } = await coredump(within, old.name);
    assert.deepEqual([status.state, status.reason], ["Deleted", "OverSize"]);
    assert.equal((await coredump(within, young.name))["status"].state, "Saved");
    await gc.end();
  });

  test("holds back what vanished unseen when it is too much, says so, and prints what it would be", async () => {
    const within = await namespace();
    const dumps = await Promise.all(Array.from({ length: 6 }, () => savedDump(cluster, within, GONE_POD)));
    for (const { key } of dumps) store.put(key);
    await cluster.kubectl("delete", "namespace", within.metadata["name"]);
    const limits = ["--max-at-once", "3", "--max-share", "5"];
    await using gc = await start(...limits);
    await eventually(async () => {
      assert.match((await gc.ask("/readyz")).text, /Cannot remove \d+ of \d+ bundles \(6 NamespaceDeleted\) at once/);
      assert.equal(await gc.metric("coredump_gc_alarm"), 1);
      assert.match(await cluster.in("coredump-system").kubectl("get", "events"), /RetentionStopped/);
    });
    for (const { key } of dumps) assert.ok(isThere(key));
    await gc.end();
    await using cautious = await start("--dry-run", ...limits);
    await eventually(() => {
      for (const { key } of dumps) assert.ok(cautious.said.includes(`hold back: remove bundle ${key}`), cautious.said);
    });
    await using dry = await start("--dry-run", "--max-at-once", "1000");
    await eventually(() => {
      for (const { key } of dumps)
        assert.ok(dry.said.includes(`remove bundle ${key}: NamespaceDeleted, 1000 B`), dry.said);
    });
    for (const { key } of dumps) assert.ok(isThere(key));
    await using bold = await start("--max-at-once", "3", "--max-share", "100");
    await eventually(() => {
      for (const { key } of dumps) assert.ok(!isThere(key));
    });
    await bold.end();
  });

  test("touches nothing in another cluster's store, nor while the custom resources go", async () => {
    const within = await namespace();
    const dump = await savedDump(cluster, within, GONE_POD);
    store.put(dump.key);
    const marker = join(dir.path, ".coredump-detector.json");
    const ours = readFileSync(marker, "utf8");
    writeFileSync(marker, JSON.stringify({ version: 1, clusterUid: "another" }));
    await using gc = await start("--max-at-once", "1000", "--gc-threshold", "0s");
    await eventually(async () => assert.match((await gc.ask("/readyz")).text, /it is cluster another's/));
    assert.ok(isThere(dump.key));
    await gc.end();
    writeFileSync(marker, ours);

    const finalizer = (finalizers: string[]) => [
      "--type=merge",
      "--patch",
      JSON.stringify({ metadata: { finalizers } }),
    ];
    const crd = ["crd", "coredumps.coredump.fujitsu.com"];
    await using next = await start("--max-at-once", "1000");
    await next.looksAgain();
    await cluster.kubectl("patch", ...crd, ...finalizer(["example.com/stays"]));
    await cluster.kubectl("delete", ...crd, "--wait=false");
    await eventually(async () => assert.match((await next.ask("/readyz")).text, /is being deleted/));
    await cluster.kubectl("patch", ...crd, ...finalizer([]));
    await eventually(async () => assert.match((await next.ask("/readyz")).text, /is missing/));
    assert.ok(isThere(dump.key));
    await applyCrds(cluster);
    await eventually(async () => assert.deepEqual(await next.ask("/readyz"), { status: 200, text: "ok\n" }));
    await next.looksAgain();
    assert.ok(isThere(dump.key), "deletions that came with the kind's do not count");
    await next.end();
  });
});
