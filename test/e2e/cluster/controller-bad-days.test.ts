/** The controller's bad days, on a real API server: after each, all is judged, nothing is counted twice or wrong. */
import assert from "node:assert/strict";
import { cpSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type KubeHttp } from "../../../src/kube/http.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { Controller, Dumps } from "../../support/controller.ts";
import { applyCrds } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import { KubeProxy, type Seen } from "../../support/kube-proxy.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster", "binary");
const DUMPS = 6;
const FIT = 3;

describe("the controller's bad days", { skip }, () => {
  let cluster: Cluster;
  let http: KubeHttp;

  before(async () => {
    cluster = await startCluster();
    for (const name of ["coredump-system", "other-system"]) await cluster.kubectl("create", "namespace", name);
    http = await connect(cluster.kubeconfig);
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  const newDumps = async (): Promise<Dumps> => new Dumps(http, await cluster.namespace());

  /** Dumps of 1Mi under a quota for three of them; the youngest made first only if nobody judges them meanwhile. */
  async function crashes(youngestFirst = false): Promise<Dumps> {
    const dumps = await newDumps();
    await dumps.quota("default", `${FIT}Mi`);
    const all = Array.from({ length: DUMPS }, (_, index) => index);
    for (const index of youngestFirst ? all.reverse() : all)
      await dumps.crash(`dump-${index}`, "1Mi", "Created", { dumptime: `2026-01-01T00:00:0${index}.000Z` });
    return dumps;
  }

  /** As if the dead leader's time were over. */
  const freeLease = () =>
    cluster.in("coredump-system").kubectl("delete", "lease", "coredump-controller", "--ignore-not-found");

  /** The oldest are allowed, however often somebody began; and the ledger says so. */
  async function judged(dumps: Dumps): Promise<void> {
    const want = Array.from({ length: DUMPS }, (_, index) => [`dump-${index}`, index < FIT ? "Allowed" : "Denied"]);
    await eventually(async () => assert.deepEqual(await dumps.states(), Object.fromEntries(want)));
    await eventually(async () => {
      const [quota] = await dumps.all("coredumpquotas");
      assert.deepEqual(quota?.["status"], { used: `${FIT}Mi`, hard: `${FIT}Mi` });
    });
  }

  test("without the CRDs it says what is missing, and goes on as soon as they are there", async () => {
    await using controller = await Controller.start(cluster.kubeconfig);
    await eventually(async () => {
      const { status, text } = await controller.ask("/readyz");
      assert.equal(status, 503);
      assert.match(text, /Cannot list coredumpquotas/);
    });
    assert.match(controller.said, /API_KIND_MISSING.*kubectl apply -f install\/crd/);
    await applyCrds(cluster);
    await judged(await crashes());
    await eventually(async () => assert.equal((await controller.ask("/readyz")).status, 200));
  });

  test("killed at each of its writes in turn, before and behind it, it leaves what the next one puts right", async () => {
    await using proxy = await KubeProxy.start(cluster);
    for (const when of ["before", "after"] as const) {
      for (let count = 1; count <= DUMPS + 2; count++) {
        const dumps = await crashes(true);
        let writes = 0;
        const controller = await Controller.start(proxy.kubeconfig);
        proxy.onRequest = (seen, at) => {
          if (at === when && isVerdict(seen) && ++writes === count) process.kill(controller.pid, "SIGKILL");
        };
        await eventually(() => assert.ok(writes >= count));
        assert.equal(await controller.end("SIGKILL"), "SIGKILL");
        proxy.onRequest = () => undefined;
        await freeLease();
        await using next = await Controller.start(cluster.kubeconfig);
        await judged(dumps);
        await next.end();
      }
    }
  });

  test("two that both lead allow no more than one would", async () => {
    await using _one = await Controller.start(cluster.kubeconfig);
    await using _other = await Controller.start(cluster.kubeconfig, "--namespace", "other-system");
    await Promise.all([_one.leads(), _other.leads()]);
    for (let times = 0; times < 5; times++) {
      const dumps = await newDumps();
      await dumps.quota("default", "10Mi");
      await Promise.all(Array.from({ length: 50 }, (_, index) => dumps.crash(`dump-${index}`, "1Mi")));
      await eventually(async () => assert.ok(!Object.values(await dumps.states()).includes("Created")));
      await eventually(async () => {
        const allowed = Object.values(await dumps.states()).filter((state) => state === "Allowed");
        assert.equal(allowed.length, 10);
        const [quota] = await dumps.all("coredumpquotas");
        assert.deepEqual(quota?.["status"], { used: "10Mi", hard: "10Mi" });
      });
    }
  });

  test("of two candidates one leads, and the other takes over, at once or when the first has been silent", async () => {
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      await using first = await Controller.start(cluster.kubeconfig);
      await first.leads();
      await using second = await Controller.start(cluster.kubeconfig);
      await eventually(async () => assert.equal((await second.ask("/readyz")).status, 200));
      await sleep(2500);
      assert.equal(await second.metric("coredump_controller_leading"), 0);
      await first.end(signal);
      await second.leads();
      await judged(await crashes());
    }
  });

  test("while the API server is away it keeps still, says so, and goes on when it is back", async () => {
    await using controller = await Controller.start(cluster.kubeconfig);
    await controller.leads();
    await cluster.down("apiserver");
    await eventually(async () => assert.equal((await controller.ask("/readyz")).status, 503));
    assert.match(controller.said, /API_UNAVAILABLE/);
    await cluster.up("apiserver");
    await judged(await crashes());
    await eventually(async () => assert.equal((await controller.ask("/readyz")).status, 200));
  });

  test("what crashed while there was no controller is judged oldest first", async () => {
    const dumps = await crashes(true);
    await using _controller = await Controller.start(cluster.kubeconfig);
    await judged(dumps);
  });

  test("started anew over what is decided it lists each kind once, and writes nothing", async () => {
    await using proxy = await KubeProxy.start(cluster);
    await using controller = await Controller.start(proxy.kubeconfig);
    await controller.leads();
    await eventually(() => assert.ok(proxy.seen.some(({ path, isWatch }) => isWatch && path.endsWith("/coredumps"))));
    await sleep(1000);
    const lists = proxy.seen.filter(
      ({ method, isWatch, path }) => method === "GET" && !isWatch && !path.endsWith("/coredump-controller"),
    );
    assert.deepEqual(lists.map(({ path }) => path.split("/").at(-1)).sort(), [
      "coredumpquotas",
      "coredumps",
      "leases",
      "nodes",
    ]);
    assert.deepEqual(proxy.writes, []);
  });

  test("when the cluster is restored from an older state it goes by that", async () => {
    const [state, copy] = [join(cluster.folder, "etcd"), join(cluster.folder, "etcd-copy")];
    const dumps = await crashes(true);
    await cluster.down("apiserver", "etcd");
    cpSync(state, copy, { recursive: true });
    await cluster.up("etcd", "apiserver");
    await using controller = await Controller.start(cluster.kubeconfig);
    await judged(dumps);
    const later = [await crashes(), await crashes()];
    for (const each of later) await judged(each);
    // Kubernetes' own manager remembers revisions that are no more, and would make no service accounts: ours is the one that has to cope.
    await cluster.down("apiserver", "etcd", "controller-manager");
    rmSync(state, { recursive: true });
    renameSync(copy, state);
    await cluster.up("etcd", "apiserver", "controller-manager");
    for (const each of later) assert.deepEqual(await each.states(), {}); // all that is gone
    await judged(dumps);
    await judged(await crashes());
    await eventually(async () => assert.equal((await controller.ask("/readyz")).status, 200));
  });

  test("when the kinds are taken away and come back, it goes on with those that are there then", async () => {
    await using controller = await Controller.start(cluster.kubeconfig);
    await controller.leads();
    await cluster.kubectl("delete", "--filename", "install/crd", "--wait");
    await eventually(async () => assert.equal((await controller.ask("/readyz")).status, 503));
    await applyCrds(cluster);
    await judged(await crashes());
  });
});

/** Of a ledger or a dump. */
const isVerdict = ({ method, path }: Seen): boolean => method === "PATCH" && path.endsWith("/status");
