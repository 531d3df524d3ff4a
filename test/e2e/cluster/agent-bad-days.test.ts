/** The agent's bad days in a real cluster: after each, nothing is lost, nothing is there twice, nothing is left behind. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { connect } from "../../../src/kube/http.ts";
import { AgentNode } from "../../support/agent-node.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { Dumps } from "../../support/controller.ts";
import { applyCrds } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import { faultyProxy } from "../../support/faults-http.ts";
import type { Resource } from "../../support/kubectl.ts";
import { ROOT } from "../../support/paths.ts";
import { type S3, startS3 } from "../../support/s3.ts";
import { keysIn, s3Sink } from "../../support/s3-sink.ts";
import { needs } from "../../support/set-up.ts";
import { tempFileSystem } from "../../support/tmp.ts";

const skip = needs("root", "cluster", "binary");
const MIB = 1 << 20;
/** Noise, which takes the store as many bytes. */
const large = (mib: number) => {
  const bytes = randomBytes(mib * MIB);
  return { coreBytes: bytes.length, storedBytes: bytes.length, parts: [{ atBytes: 0, bytes }] };
};
const ALL = "--admission=all";
const SLOWLY = "--upload-bandwidth=1Mi";

/** As one of a former version may have been: without what the schema of today can hold and need not. */
function olderCrd(): Resource {
  const crd: Resource = parse(readFileSync(join(ROOT, "install/crd/coredumps.yaml"), "utf8"));
  const [version] = crd["spec"].versions;
  version.selectableFields = version.selectableFields.filter(
    ({ jsonPath }: { jsonPath: string }) => !jsonPath.startsWith(".status.crash."),
  );
  const { spec, status } = version.schema.openAPIV3Schema.properties;
  delete spec["x-kubernetes-validations"]; // it names what is not there
  for (const name of ["attempt", "imageDigest", "processUptimeMs", "exe", "signal"]) delete spec.properties[name];
  status.properties = { state: { type: "string" }, message: { type: "string" }, key: { type: "string" } };
  delete status["x-kubernetes-validations"];
  return crd;
}

describe("the agent's bad days", { skip }, () => {
  let cluster: Cluster;
  let s3: S3;

  before(async () => {
    [cluster, s3] = [await startCluster(), await startS3()];
    await cluster.kubectl("create", "namespace", "coredump-system");
  });
  after(async () => {
    await s3?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const dumpsOf = async (namespace: string): Promise<Dumps> => new Dumps(await connect(cluster.kubeconfig), namespace);
  const theOne = async (namespace: string): Promise<Resource> =>
    ((await (await dumpsOf(namespace)).all())[0] as Resource) ?? assert.fail("no Coredump");
  /** Of a bundle: the agent also begins a file, and removes it, to see whether the store lets it in. */
  const uploading = (node: AgentNode) =>
    eventually(() => assert.ok(globSync(`${node.store}/**/.*.zst.part`).length > 0));
  const stored = (root: string): string[] => globSync(`${root}/**/*`).filter((path) => /\.(zst|part)$/.test(path));

  test("without the CRDs it keeps all, says what is missing, and goes on as soon as they are there, older ones too", async () => {
    using node = new AgentNode(cluster.kubeconfig);
    const dump = node.crash(await cluster.namespace());
    await using agent = await node.agent(ALL);
    await eventually(async () => {
      const { status, text } = await agent.ask("/readyz");
      assert.equal(status, 503);
      assert.match(text, /Cannot list coredumps: 404 page not found/);
    });
    assert.match(agent.said, /API_KIND_MISSING.*kubectl apply -f install\/crd/);
    assert.ok(node.holds(dump));
    await cluster.send("create", olderCrd());
    await eventually(() => assert.equal(node.record(dump.id)?.state, "Saved", agent.said));
    await eventually(async () => assert.deepEqual(await agent.ask("/readyz"), { status: 200, text: "ok\n" }));
    await applyCrds(cluster);
  });

  test("a dump that its owner deletes while it is uploaded leaves nothing, on the node and in the store", async () => {
    using node = new AgentNode(cluster.kubeconfig);
    const namespace = await cluster.namespace();
    const dump = node.crash(namespace, large(20));
    await using agent = await node.agent(ALL, SLOWLY);
    await uploading(node);
    await (await dumpsOf(namespace)).delete("coredumps", (await theOne(namespace)).metadata["name"]);
    await eventually(() => {
      assert.equal(node.record(dump.id)?.state, "Deleted", agent.said);
      assert.ok(!node.holds(dump));
      assert.deepEqual(stored(node.store), []);
    });
  });

  test("one that is deleted when it is stored stays in the store, which is the collector's", async () => {
    using node = new AgentNode(cluster.kubeconfig);
    const namespace = await cluster.namespace();
    const dump = node.crash(namespace);
    await using agent = await node.agent(ALL);
    await eventually(() => assert.equal(node.record(dump.id)?.state, "Saved", agent.said));
    await (await dumpsOf(namespace)).delete("coredumps", (await theOne(namespace)).metadata["name"]);
    await eventually(() => assert.equal(node.record(dump.id)?.state, "Deleted", agent.said));
    assert.equal(stored(node.store).length, 1);
  });

  test("a namespace that is deleted while its dump is uploaded takes it along", async () => {
    using node = new AgentNode(cluster.kubeconfig);
    const namespace = await cluster.namespace();
    const dump = node.crash(namespace, large(20));
    await using agent = await node.agent(ALL, SLOWLY);
    await uploading(node);
    await cluster.kubectl("delete", "namespace", namespace, "--timeout=60s");
    await eventually(() => {
      assert.equal(node.record(dump.id)?.state, "Deleted", agent.said);
      assert.ok(!node.holds(dump));
      assert.deepEqual(stored(node.store), []);
    });
  });

  const inS3 = (prefix: string): string => join(s3.folder, "data", s3.bucket, prefix);
  const toS3 = ({ folder }: AgentNode, prefix: string, endpoint = s3.endpoint): string[] => [
    `--store=s3://${s3.bucket}/${prefix}`,
    `--s3-endpoint=${endpoint}`,
    `--s3-credentials-dir=${keysIn(folder, s3)}`,
  ];

  // The agent is patient with a store: half a minute each, side by side.
  describe("of the store", { concurrency: true }, () => {
    test("a full store is told in the Coredump, and the dump waits until there is room", async () => {
      using node = new AgentNode(cluster.kubeconfig);
      using volume = tempFileSystem(BigInt(8 * MIB));
      const filler = join(volume.path, "filler");
      writeFileSync(filler, randomBytes(6 * MIB));
      const namespace = await cluster.namespace();
      const dump = node.crash(namespace, large(4));
      await using agent = await node.agent(ALL, `--store=${volume.path}`);
      await eventually(async () => {
        const { state, message } = (await theOne(namespace))["status"];
        assert.equal(state, "FailedToSave", agent.said);
        assert.match(message, /no space left|full/i);
      });
      assert.ok(node.holds(dump));
      rmSync(filler);
      await eventually(() => assert.equal(node.record(dump.id)?.state, "Saved", agent.said));
      await eventually(async () => {
        const { state, message } = (await theOne(namespace))["status"];
        assert.deepEqual([state, message], ["Saved", undefined]);
      });
      assert.equal(stored(volume.path).length, 1);
    });

    test("a store that goes away in the middle is told in the Coredump, and the upload goes on when it is back", async () => {
      using node = new AgentNode(cluster.kubeconfig);
      const namespace = await cluster.namespace();
      const dump = node.crash(namespace, large(12));
      await using agent = await node.agent(ALL, SLOWLY, ...toS3(node, "gone"));
      await eventually(() => assert.ok(existsSync(join(node.dumpDir, dump.id, "upload.json"))));
      await s3.down();
      try {
        await eventually(async () => {
          const { state, message } = (await theOne(namespace))["status"];
          assert.equal(state, "FailedToSave", agent.said);
          assert.match(message, /refuses the connection/);
        });
        assert.ok(node.holds(dump));
      } finally {
        await s3.up();
      }
      await eventually(() => assert.equal(node.record(dump.id)?.state, "Saved", agent.said));
      assert.equal(stored(inS3("gone")).length, 1);
    });
  });

  for (const signal of ["SIGTERM", "SIGKILL"] as const)
    test(`an agent that ends by ${signal} in the middle of an upload leaves the rest to the next one`, async () => {
      using node = new AgentNode(cluster.kubeconfig);
      await using proxy = await faultyProxy(s3.endpoint);
      const sizeMib = 22;
      const dump = node.crash(await cluster.namespace(), large(sizeMib));
      const store = toS3(node, signal, proxy.endpoint);
      {
        await using first = await node.agent(ALL, "--upload-bandwidth=2Mi", "--grace=1s", ...store);
        await eventually(() => assert.ok(proxy.receivedBytes > 6 * MIB, first.said));
        assert.equal(await first.end(signal), signal === "SIGTERM" ? 0 : signal);
      }
      assert.equal(node.record(dump.id)?.state, "Allowed");
      assert.ok(node.holds(dump));
      await using second = await node.agent(ALL, ...store);
      await eventually(() => assert.equal(node.record(dump.id)?.state, "Saved", second.said));
      // Two parts of 5 MiB may have been on their way, and are sent again.
      assert.ok(proxy.receivedBytes <= (sizeMib + 11) * MIB, `${proxy.receivedBytes}`);
      assert.equal(stored(inS3(signal)).length, 1);
      await using bucket = s3Sink(s3);
      assert.deepEqual(await bucket.leftovers(), []);
    });

  test("SIGTERM lets an upload end that needs no longer than the grace period", async () => {
    using node = new AgentNode(cluster.kubeconfig);
    const namespace = await cluster.namespace();
    const dump = node.crash(namespace, large(4));
    await using agent = await node.agent(ALL, SLOWLY, "--grace=60s");
    await uploading(node);
    assert.equal(await agent.end(), 0, agent.said);
    assert.equal(node.record(dump.id)?.state, "Saved");
    assert.equal((await theOne(namespace))["status"].state, "Saved");
  });

  for (const [clock, offMs] of [
    ["ahead", 3600_000],
    ["behind", -3600_000],
  ] as const)
    test(`a node whose clock is an hour ${clock} registers and stores as others do`, async () => {
      using node = new AgentNode(cluster.kubeconfig);
      const namespace = await cluster.namespace();
      const container = { name: "app", image: "none" };
      const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "web-0" }, spec: { containers: [container] } };
      const { uid } = (await cluster.in(namespace).send("create", pod)).metadata as { uid: string };
      const dump = node.crash(namespace, { podUid: uid, dumptime: new Date(Date.now() + offMs) });
      await using agent = await node.agent(ALL);
      await eventually(() => assert.equal(node.record(dump.id)?.state, "Saved", agent.said));
      assert.equal((await theOne(namespace))["spec"].dumptime, dump.dumptime);
      assert.ok((await agent.metric("coredump_agent_queue_age_seconds")) >= 0);
    });

  test("a namespace is warned before its dumps fill what they may hold on the node, and then they are refused", async () => {
    using node = new AgentNode(cluster.kubeconfig);
    const namespace = await cluster.namespace();
    await using agent = await node.agent("--namespace-disk-quota=10Mi"); // nobody decides, so that they stay
    const event = async (): Promise<Resource | undefined> =>
      (await cluster.in(namespace).get("events", "--field-selector=reason=CoreDumpQuotaNearlyUsed"))["items"][0];
    const small = node.crash(namespace, large(1));
    await eventually(() => assert.equal(node.record(small.id)?.state, "Created", agent.said));
    assert.equal(await event(), undefined);
    const second = node.crash(namespace, large(8.5));
    await eventually(async () => {
      const { type, message, involvedObject } = (await event()) ?? assert.fail(agent.said);
      assert.deepEqual([type, involvedObject.kind, involvedObject.name], ["Warning", "Namespace", namespace]);
      assert.match(message, /hold 9\.\d+ MiB of the 10(\.0)? MiB .* on node node-1/);
    });
    const third = node.crash(namespace, large(2));
    await eventually(() => assert.equal(node.record(third.id)?.state, "Refused", agent.said));
    await eventually(() =>
      assert.deepEqual(
        [small, second, third].map((dump) => node.holds(dump)),
        [true, true, false],
      ),
    );
    await eventually(async () =>
      assert.deepEqual(Object.values(await (await dumpsOf(namespace)).states()).sort(), [
        "Created",
        "Created",
        "Refused",
      ]),
    );
  });
});
