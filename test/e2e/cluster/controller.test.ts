/** The controller on a real API server: its verdicts, its ledger, its labels. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type KubeHttp } from "../../../src/kube/http.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { Controller, Dumps } from "../../support/controller.ts";
import { applyCrds } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster", "binary");
const GI = 1024 ** 3;
const MAX_RECORDS = 45;

describe("the controller", { skip }, () => {
  let cluster: Cluster;
  let http: KubeHttp;
  let controller: Controller;

  before(async () => {
    cluster = await startCluster();
    await applyCrds(cluster);
    await cluster.kubectl("create", "namespace", "coredump-system");
    http = await connect(cluster.kubeconfig);
    controller = await Controller.start(cluster.kubeconfig, "--max-records", `${MAX_RECORDS}`);
    await controller.leads();
  });
  after(async () => {
    await controller?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const newDumps = async (): Promise<Dumps> => new Dumps(http, await cluster.namespace());
  const become = (dumps: Dumps, states: Record<string, string>): Promise<void> =>
    eventually(async () => assert.deepEqual(await dumps.states(), states));
  const used = (dumps: Dumps, name: string, status: object): Promise<void> =>
    eventually(async () => {
      const quotas = await dumps.all("coredumpquotas");
      assert.deepEqual(quotas.find(({ metadata }) => metadata["name"] === name)?.["status"], status);
    });

  test("allows any size where there is no quota, and does not touch what is not Created", async () => {
    const dumps = await newDumps();
    await dumps.crash("a", "5Ei");
    await dumps.crash("b", 1, "Capturing");
    await dumps.crash("c", 1, "Restricted");
    await become(dumps, { a: "Allowed", b: "Capturing", c: "Restricted" });
  });

  test("allows what just fits, denies one byte more, and says so in the words that users know", async () => {
    const dumps = await newDumps();
    await dumps.quota("default", "1Gi");
    await used(dumps, "default", { used: "0", hard: "1Gi" });
    await dumps.crash("fits", GI - 1);
    await used(dumps, "default", { used: `${GI - 1}`, hard: "1Gi" });
    await dumps.crash("over", 2);
    await become(dumps, { fits: "Allowed", over: "Denied" });
    await dumps.crash("just", 1);
    await become(dumps, { fits: "Allowed", over: "Denied", just: "Allowed" });
    await used(dumps, "default", { used: "1Gi", hard: "1Gi" });
    const status = (await dumps.get("over"))["status"];
    assert.equal(status.message, "Quota exceed, required 1.01Gi, but default has only 1Gi");
    assert.equal(status.reason, "OverQuota");
  });

  test("wants all quotas of a namespace to hold", async () => {
    const dumps = await newDumps();
    await dumps.quota("wide", "10Gi");
    await dumps.quota("narrow", "2Gi");
    await used(dumps, "narrow", { used: "0", hard: "2Gi" });
    await dumps.crash("a", "2Gi");
    await dumps.crash("b", "1Gi");
    await become(dumps, { a: "Allowed", b: "Denied" });
    assert.match((await dumps.get("b"))["status"].message, /^Quota exceed, required 3Gi, but narrow has only 2Gi$/);
    await used(dumps, "wide", { used: "2Gi", hard: "10Gi" });
  });

  test("gives room back when a dump is deleted, counts a failed upload, and Denied stays Denied", async () => {
    const dumps = await newDumps();
    await dumps.quota("default", "1Gi");
    await dumps.crash("a", "600Mi");
    await dumps.crash("b", "600Mi");
    await become(dumps, { a: "Allowed", b: "Denied" });
    await dumps.status("a", { state: "FailedToSave" });
    await dumps.crash("c", "600Mi");
    await become(dumps, { a: "FailedToSave", b: "Denied", c: "Denied" });
    await dumps.delete("coredumps", "a");
    await used(dumps, "default", { used: "0", hard: "1Gi" });
    await dumps.crash("d", "600Mi");
    await become(dumps, { b: "Denied", c: "Denied", d: "Allowed" });
  });

  test("goes by a quota that is added, raised or deleted from then on", async () => {
    const dumps = await newDumps();
    await dumps.crash("before", "5Gi");
    await become(dumps, { before: "Allowed" });
    await dumps.quota("default", "1Gi");
    await used(dumps, "default", { used: "5Gi", hard: "1Gi" });
    await dumps.crash("under", "1Mi");
    await become(dumps, { before: "Allowed", under: "Denied" });
    await dumps.quota("default", "6Gi");
    await used(dumps, "default", { used: "5Gi", hard: "6Gi" });
    await dumps.crash("raised", "1Gi");
    await become(dumps, { before: "Allowed", under: "Denied", raised: "Allowed" });
    await dumps.delete("coredumpquotas", "default");
    await sleep(300); // its end is told to nobody but the controller
    await dumps.crash("free", "100Gi");
    await become(dumps, { before: "Allowed", under: "Denied", raised: "Allowed", free: "Allowed" });
  });

  test("waits for the size of a dump", async () => {
    const dumps = await newDumps();
    await dumps.quota("default", "1Gi");
    await dumps.crash("unsized", 1, "Created", { size: undefined });
    await dumps.crash("sized", "1Mi");
    await become(dumps, { sized: "Allowed", unsized: "Created" });
    await dumps.resize("unsized", "1Gi");
    await become(dumps, { sized: "Allowed", unsized: "Denied" });
  });

  test("of 50 crashes at once under a quota for 10 allows 10", async () => {
    const dumps = await newDumps();
    await dumps.quota("default", "10Mi");
    await Promise.all(Array.from({ length: 50 }, (_, index) => dumps.crash(`dump-${index}`, "1Mi")));
    await eventually(async () => {
      const states = Object.values(await dumps.states());
      assert.deepEqual(Map.groupBy(states, (state) => state).get("Allowed")?.length, 10);
      assert.deepEqual(Map.groupBy(states, (state) => state).get("Denied")?.length, 40);
    });
    await used(dumps, "default", { used: "10Mi", hard: "10Mi" });
  });

  test("lets the oldest records that hold nothing give way, each counted by one of its kind", async () => {
    const dumps = await newDumps();
    await dumps.quota("default", "1Mi");
    await dumps.crash("held", "1Mi");
    await become(dumps, { held: "Allowed" });
    const names = Array.from({ length: MAX_RECORDS + 3 }, (_, index) => `denied-${10 + index}`);
    for (const [index, name] of names.entries()) {
      const dumptime = new Date(Date.UTC(2026, 0, 1) + index).toISOString();
      await dumps.crash(name, "1Mi", "Created", { dumptime });
    }
    await become(dumps, { held: "Allowed", ...Object.fromEntries(names.slice(3).map((name) => [name, "Denied"])) });
    assert.equal((await dumps.get("denied-13"))["status"].repeats, 3);
  });

  test("labels a node while its agent's Lease is renewed, and leaves an admin's label alone", async () => {
    const label = async (node: string) => (await cluster.get("node", node)).metadata["labels"]?.coredump;
    const lease = (node: string, labels: Record<string, string> = {}) => ({
      ...{ apiVersion: "coordination.k8s.io/v1", kind: "Lease" },
      metadata: { name: `coredump-node-${node}`, namespace: "coredump-system", labels },
      spec: { holderIdentity: node, leaseDurationSeconds: 1, renewTime: "2026-01-01T00:00:00.000000Z" },
    });
    for (const name of ["with-agent", "without"])
      await cluster.send("create", { apiVersion: "v1", kind: "Node", metadata: { name } });
    const admins = { name: "admins", labels: { coredump: "true" } };
    await cluster.send("create", { apiVersion: "v1", kind: "Node", metadata: admins });
    for (const node of ["with-agent", "admins", "no-such-node"]) await cluster.send("create", lease(node));
    // As an agent does: a label that lasts three seconds may be gone before a busy machine looks.
    const whileRenewed = async () => {
      await cluster.send("apply", lease("with-agent", { renewed: `${process.hrtime.bigint()}` }));
      assert.equal(await label("with-agent"), "true");
    };
    await eventually(whileRenewed);
    await eventually(async () => assert.equal(await label("with-agent"), undefined)); // nobody renewed
    await eventually(whileRenewed);
    await cluster.in("coredump-system").kubectl("delete", "leases", "coredump-node-with-agent", "coredump-node-admins");
    await eventually(async () => assert.equal(await label("with-agent"), undefined));
    assert.equal(await label("admins"), "true");
    assert.equal(await label("without"), undefined);
  });

  test("tells what it does, and ends at once when it is asked to", async () => {
    assert.deepEqual(await controller.ask("/healthz"), { status: 200, text: "ok\n" });
    assert.deepEqual(await controller.ask("/readyz"), { status: 200, text: "ok\n" });
    assert.ok((await controller.metric('coredump_controller_decisions_total{decision="Allowed"}')) > 10);
    assert.ok((await controller.metric('coredump_dumps{state="Denied"}')) > MAX_RECORDS);
    assert.equal(await controller.metric('coredump_quota_used_bytes{namespace="test-2",quota="default"}'), GI);
    assert.equal(await controller.end(), 0);
    const { spec } = await cluster.in("coredump-system").get("lease", "coredump-controller");
    assert.equal(spec.holderIdentity, "");
  });
});
