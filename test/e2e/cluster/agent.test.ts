/** A crash in a pod, and its whole way: object, decision, bundle, event, and a cache that holds nothing any more. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type { DumpRecord } from "../../../src/domain/dump.ts";
import { openCache } from "../../../src/node/cache/cache.ts";
import { Agent } from "../../support/agents.ts";
import { KERNEL_ARGUMENTS } from "../../support/captured.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import { KubeProxy } from "../../support/kube-proxy.ts";
import type { Resource } from "../../support/kubectl.ts";
import { BINARY } from "../../support/paths.ts";
import { withPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { tee } from "../../support/tee.ts";
import { type TempDir, tempDir } from "../../support/tmp.ts";

const skip = needs("root", "cluster", "binary");
const IMAGE = "localhost/testbed:1";

interface How {
  readonly labels?: Record<string, string>;
  /** Crashes some seconds later, and waits for this instead of the API's word. */
  readonly ended?: () => Promise<void>;
  readonly handlerFlags?: readonly string[];
}

interface Place extends Disposable {
  readonly cluster: Cluster;
  readonly folder: TempDir;
  readonly dumpDir: string;
  readonly store: string;
  agent(...flags: readonly string[]): Promise<Agent>;
  /** One that reaches the API server by this kubeconfig. */
  agentBy(kubeconfig: string, ...flags: readonly string[]): Promise<Agent>;
  /** Records of the node's cache. */
  records(): readonly DumpRecord[];
  /** Crashes a pod of that name under our handler. @returns the pod, unless its end was awaited in another way */
  crash(namespace: string, name: string, how?: How): Promise<Resource | undefined>;
  coredump(namespace: string, is: (coredump: Resource) => boolean): Promise<Resource>;
  log(): string;
}

let shared: Promise<Cluster> | undefined;
async function theCluster(): Promise<Cluster> {
  shared ??= startCluster({ node: true }).then(async (cluster) => {
    await applyCrds(cluster);
    return cluster;
  });
  return await shared;
}
after(async () => await (await shared)?.[Symbol.asyncDispose]());

async function place(): Promise<Place> {
  const cluster = await theCluster();
  const folder = tempDir();
  const [dumpDir, store] = [join(folder.path, "cache"), join(folder.path, "store")];
  const agents: Agent[] = [];
  const log = () => agents.map(({ said }) => said).join("");
  mkdirSync(store);
  const endpoint = `--cri-endpoint=${join(cluster.nodeFolder(), "run/containerd.sock")}`;
  const agentBy: Place["agentBy"] = async (kubeconfig, ...flags) => {
    const own = [`-c=${kubeconfig}`, `-d=${dumpDir}`, "--node-name=node-1", endpoint, `--store=${store}`];
    const agent = await Agent.start(...own, ...flags);
    agents.push(agent);
    return agent;
  };
  return {
    ...{ cluster, folder, dumpDir, store, agentBy },
    agent: (...flags) => agentBy(cluster.kubeconfig, ...flags),
    records: () => openCache(dumpDir, { create: true }).records(),
    crash: async (namespace, name, { labels = {}, ended, handlerFlags = [] } = {}) => {
      const slowly = ["/bin/busybox", "sh", "-c", "/bin/busybox sleep 5; exec /bin/crash"];
      const containers = [{ name: "app", image: IMAGE, command: ended ? slowly : ["/bin/crash"] }];
      const spec = { restartPolicy: "Never", terminationGracePeriodSeconds: 1, containers };
      using behind = tee([BINARY, `-d=${dumpDir}`, endpoint, ...handlerFlags]); // a core_pattern is too short for paths of tests
      await withPattern(behind.pattern(KERNEL_ARGUMENTS), async () => {
        await cluster.in(namespace).send("create", { apiVersion: "v1", kind: "Pod", metadata: { name, labels }, spec });
        if (ended) await ended();
        else assert.equal((await cluster.ended(namespace, name)).exitCode, 139);
        await behind.crashes(1);
      });
      return ended ? undefined : await cluster.in(namespace).get("pod", name);
    },
    coredump: (namespace, is) =>
      eventually(async () => {
        const found: Resource | undefined = (await cluster.in(namespace).get("coredumps"))["items"].find(is);
        assert.ok(found, `${log()}\n${await cluster.in(namespace).kubectl("get", "coredumps", "-o", "yaml")}`);
        return found;
      }),
    log,
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

test("agent: a crash becomes an object, a bundle, an event, and leaves the node", { skip }, async () => {
  using at = await place();
  await using agent = await at.agent("--admission=all");
  const namespace = await at.cluster.namespace();
  const pod = await at.crash(namespace, "web-0");
  const coredump = await at.coredump(namespace, ({ status }) => status?.state === "Saved");
  assert.match(coredump.metadata["name"], /^web-0-crash-[0-9a-f]{12}$/);
  assert.equal(coredump["spec"].uid, pod?.metadata["uid"]);
  assert.equal(coredump["spec"].volume, at.store);
  assert.equal(coredump["status"].complete, true);
  const conditions = coredump["status"].conditions.map(({ type, status }: Resource) => [type, status]);
  assert.deepEqual(
    conditions,
    ["Captured", "Identified", "Stored", "Complete"].map((type) => [type, "True"]),
  );

  const bundle = join(at.store, coredump["status"].key);
  const names = execFileSync("tar", ["--zstd", "-tf", bundle], { encoding: "utf8" }).trim().split("\n");
  for (const name of ["info.json", "pod.json", "container.json", "core"]) assert.ok(names.includes(name), name);
  const sum = execFileSync("sh", ["-c", `tar --zstd -xOf ${bundle} core | sha256sum`], { encoding: "utf8" });
  assert.equal(`sha256:${sum.slice(0, 64)}`, coredump["status"].checksum);

  const [record] = at.records();
  assert.equal(record?.state, "Saved");
  assert.ok(!existsSync(join(at.dumpDir, record?.id ?? "", "core")));
  const events = (await at.cluster.in(namespace).get("events", "--field-selector=reason=CoreDumped"))["items"];
  assert.deepEqual(
    events.map(({ involvedObject }: Resource) => involvedObject["uid"]),
    [pod?.metadata["uid"]],
  );
  assert.match(
    events[0].message,
    /^crash \(container app\) crashed: SIGSEGV at 0xdead in crash_here .*\(stack: crash_here ← .*; core of .* complete\. See: kubectl coredump info web-0-crash-/,
  );
  assert.equal(await agent.end(), 0);
});

const stateOf =
  (state: string) =>
  ({ status }: Resource): boolean =>
    status?.state === state;

test("agent: the API server away before, during and after a crash", { skip }, async () => {
  using at = await place();
  const namespace = await at.cluster.namespace();
  await using _agent = await at.agent("--admission=all");
  await eventually(() => assert.match(at.log(), /agent started/));
  const ended = async () => {
    await at.cluster.in(namespace).kubectl("wait", "--for=condition=Ready", "pod/web-1", "--timeout=30s");
    await at.cluster.down("apiserver");
    await eventually(() => assert.equal(at.records()[0]?.state, "Captured"));
  };
  await at.crash(namespace, "web-1", { ended });
  assert.ok(existsSync(at.records()[0]?.core.path ?? ""));
  await at.cluster.up("apiserver");
  await at.coredump(namespace, stateOf("Saved"));
  assert.equal(at.records()[0]?.state, "Saved");
});

test("agent: the API server away for a pod's whole life, which it never gets to see", { skip }, async () => {
  using at = await place();
  const namespace = await at.cluster.namespace();
  await using proxy = await KubeProxy.start(at.cluster);
  proxy.onRequest = () => Promise.reject(new Error("away"));
  await using _agent = await at.agentBy(proxy.kubeconfig, "--admission=all");
  const pod = await at.crash(namespace, "web-8");
  await at.cluster.in(namespace).kubectl("delete", "pod", "web-8", "--now");
  await eventually(() => assert.match(at.log(), /"dump".*API_UNAVAILABLE/));
  assert.ok(existsSync(at.records()[0]?.core.path ?? ""));
  proxy.onRequest = () => undefined;
  const coredump = await at.coredump(namespace, stateOf("Saved"));
  assert.equal(coredump["spec"].uid, pod?.metadata["uid"]);
});

test("agent: killed behind a crash, another one takes over, and makes no second object", { skip }, async () => {
  using at = await place();
  const namespace = await at.cluster.namespace();
  for (const afterMs of [0, 100, 400]) {
    await using agent = await at.agent("--admission=all");
    await at.crash(namespace, `web-${afterMs}`);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await agent.end("SIGKILL");
  }
  await using _agent = await at.agent("--admission=all");
  for (const afterMs of [0, 100, 400])
    await at.coredump(namespace, ({ spec, status }) => spec.pod === `web-${afterMs}` && status?.state === "Saved");
  assert.equal((await at.cluster.in(namespace).get("coredumps"))["items"].length, 3);
  assert.deepEqual(
    at.records().map(({ state }) => state),
    ["Saved", "Saved", "Saved"],
  );
});

test("agent: a dump that its owner deletes while it waits is dropped; one that goes with its kind is registered again", {
  skip,
}, async () => {
  using at = await place();
  const namespace = await at.cluster.namespace();
  await using _agent = await at.agent();
  await at.crash(namespace, "web-3");
  const first = await at.coredump(namespace, stateOf("Created"));
  await at.cluster.in(namespace).kubectl("delete", "coredump", first.metadata["name"]);
  await eventually(() => assert.equal(at.records()[0]?.state, "Deleted", at.log()));
  // The decision is written before it is carried out.
  await eventually(() => assert.ok(!existsSync(join(at.dumpDir, at.records()[0]?.id ?? "", "core"))));

  await at.crash(namespace, "web-4");
  const second = await at.coredump(namespace, stateOf("Created"));
  await at.cluster.kubectl("delete", "crd", "coredumps.coredump.fujitsu.com");
  await applyCrds(at.cluster);
  const again = await at.coredump(namespace, stateOf("Created"));
  assert.equal(again.metadata["name"], second.metadata["name"]);
  assert.notEqual(again.metadata["uid"], second.metadata["uid"]);
  assert.ok(existsSync(at.records()[0]?.core.path ?? ""));
});

test("agent: a pod or a namespace that wants no core has a record that says so, and nothing else", {
  skip,
}, async () => {
  using at = await place();
  const label = { "coredump.fujitsu.com/no-coredump": "true" };
  const [open, closed] = [await at.cluster.namespace(), await at.cluster.namespace(label)];
  await using _agent = await at.agent("--admission=all");
  await at.crash(open, "web-5", { labels: label });
  await at.crash(closed, "web-6");
  for (const namespace of [open, closed]) {
    const refused = await at.coredump(namespace, stateOf("Refused"));
    assert.equal(refused["status"].reason, "OptedOut");
  }
  for (const { id } of at.records()) assert.ok(!existsSync(join(at.dumpDir, id, "core")));
});

test("handler: registers by itself where no agent answers", { skip }, async () => {
  using at = await place();
  const namespace = await at.cluster.namespace();
  const handlerFlags = [`-c=${at.cluster.kubeconfig}`, "--node-name=node-1", `--log_dir=${at.folder.path}`];
  await at.crash(namespace, "web-7", { handlerFlags });
  const coredump = await at.coredump(namespace, stateOf("Created"));
  await eventually(() => assert.equal(at.records()[0]?.cluster?.objectUid, coredump.metadata["uid"]));
});
