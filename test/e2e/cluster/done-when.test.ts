/**
 * What it is for, whole and as it is installed: agent and controller with their own service accounts, roles and the
 * admission policy, a quota, and a crash that somebody makes by kubectl.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { DumpRecord } from "../../../src/domain/dump.ts";
import { parseQuantity } from "../../../src/domain/quantity.ts";
import { openCache } from "../../../src/node/cache/cache.ts";
import { Agent } from "../../support/agents.ts";
import { KERNEL_ARGUMENTS } from "../../support/captured.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { Controller } from "../../support/controller.ts";
import { applyCrds, applyPolicy } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import type { Resource, User } from "../../support/kubectl.ts";
import { BINARY, ROOT } from "../../support/paths.ts";
import { withPattern } from "../../support/pattern.ts";
import { type S3, startS3 } from "../../support/s3.ts";
import { keysIn } from "../../support/s3-sink.ts";
import { needs } from "../../support/set-up.ts";
import { tee } from "../../support/tee.ts";
import { type TempDir, tempDir } from "../../support/tmp.ts";

const skip = needs("root", "cluster", "binary");
const SYSTEM = "coredump-system";
const WRITE_ONLY = ["s3:PutObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"];
const nanos = (quantity: unknown): bigint | undefined => parseQuantity(String(quantity))?.nanos;

describe("a crash in a pod", { skip }, () => {
  let cluster: Cluster;
  let s3: S3;
  let folder: TempDir;
  let dumpDir: string;
  let controller: Controller;
  let agentsConfig: string;

  before(async () => {
    [cluster, s3, folder] = [await startCluster({ node: true }), await startS3(), tempDir()];
    dumpDir = join(folder.path, "cache");
    await applyCrds(cluster);
    await cluster.kubectl("create", "clusterrolebinding", "probe", "--clusterrole=cluster-admin", "--user=probe");
    await applyPolicy(cluster, await cluster.user("probe"), await cluster.namespace());
    await cluster.kubectl("apply", "--filename", join(ROOT, "install/rbac"));
    agentsConfig = (await cluster.serviceAccount(SYSTEM, "coredump-agent", "node-1")).kubeconfig;
    controller = await Controller.start((await cluster.serviceAccount(SYSTEM, "coredump-controller")).kubeconfig);
  });
  after(async () => {
    await controller?.[Symbol.asyncDispose]();
    await s3?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    folder?.[Symbol.dispose]();
  });

  const endpoint = (): string => `--cri-endpoint=${join(cluster.nodeFolder(), "run/containerd.sock")}`;

  const startAgent = (...store: readonly string[]): Promise<Agent> =>
    Agent.startReleased(`-c=${agentsConfig}`, `-d=${dumpDir}`, "--node-name=node-1", endpoint(), ...store);

  /** A pod of busybox, which does nothing until somebody comes by kubectl. */
  async function run(admin: User, pod: string): Promise<void> {
    await admin.kubectl("run", pod, "--image=localhost/testbed:1", "--restart=Never", "--", "sleep", "3600");
    await admin.kubectl("wait", "--for=condition=Ready", `pod/${pod}`, "--timeout=60s");
  }

  /** Runs it in the pod, under our handler, until that has seen so many crashes. */
  async function crash(admin: User, pod: string, script: string, count = 1): Promise<void> {
    using behind = tee([BINARY, `-d=${dumpDir}`, endpoint()]); // a core_pattern is too short for paths of tests
    await withPattern(behind.pattern(KERNEL_ARGUMENTS), async () => {
      await admin.kubectl("exec", pod, "--", "sh", "-c", script).catch(() => undefined); // it was killed
      await behind.crashes(count, 60_000);
    });
  }

  const recordsOf = (namespace: string): DumpRecord[] =>
    openCache(dumpDir)
      .records()
      .filter(({ pod }) => pod?.namespace === namespace);
  const holds = ({ id }: DumpRecord): boolean =>
    ["core", "core.part"].some((name) => existsSync(join(dumpDir, id, name)));
  const dumpsIn = async (admin: User): Promise<Resource[]> => (await admin.get("coredumps"))["items"];

  for (const mode of ["a directory", "S3, with keys that can only write"])
    test(`reaches ${mode} when the quota allows it, and leaves only its record when it does not`, async () => {
      const namespace = await cluster.namespace();
      const admin = cluster.in(namespace);
      const isS3 = mode.startsWith("S3");
      const root = isS3 ? join(s3.folder, "data", s3.bucket, "prod") : join(folder.path, "store");
      if (!isS3) mkdirSync(root);
      const keys = isS3 ? keysIn(folder.path, await s3.user("agent", ...WRITE_ONLY)) : "";
      const volume = isS3 ? `s3://${s3.bucket}/prod` : root;
      await using agent = await startAgent(
        `--store=${volume}`,
        ...(isS3 ? [`--s3-endpoint=${s3.endpoint}`, `--s3-credentials-dir=${keys}`] : []),
      );
      await setQuota(admin, "1Gi");
      await run(admin, "web-0");
      const pod = await admin.get("pod", "web-0");
      await crash(admin, "web-0", "kill -SEGV $$");

      const saved = await eventually(async () => {
        const [found] = await dumpsIn(admin);
        assert.equal(found?.["status"]?.state, "Saved", `${agent.said}\n${controller.said}`);
        return found as Resource;
      });
      const { name } = saved.metadata as { name: string };
      assert.match(await admin.kubectl("get", "coredumps"), new RegExp(`^${name} +Saved +web-0 .*SIGSEGV`, "m"));
      await eventually(async () =>
        assert.equal(nanos((await admin.get("coredumpquota", "default"))["status"]?.used), nanos(saved["spec"].size)),
      );
      assert.equal(saved["spec"].volume, volume);
      const bundle = bundleAt(join(root, saved["status"].key));
      assert.deepEqual(bundle.info.pod, { namespace, name: "web-0", uid: pod.metadata["uid"] });
      assert.equal(`sha256:${bundle.coreSha256}`, saved["status"].checksum);
      const described = await admin.kubectl("describe", "pod", "web-0");
      assert.match(described, new RegExp(`Warning +CoreDumped .*crashed: SIGSEGV.*complete.*info ${name}`));
      const [record] = recordsOf(namespace);
      assert.equal(record?.state, "Saved");
      assert.ok(record && !holds(record));

      await setQuota(admin, saved["spec"].size); // all of it is used
      await crash(admin, "web-0", "kill -SEGV $$");
      await eventually(async () => {
        const states = recordsOf(namespace).map(({ state }) => state);
        assert.deepEqual(states.sort(), ["Denied", "Saved"], agent.said);
        assert.ok(!recordsOf(namespace).some(holds));
      });
      const denied = (await dumpsIn(admin)).find(({ status }) => status?.state === "Denied");
      assert.match(denied?.["status"].message, /^Quota exceed, required .*, but default has only /);
      assert.deepEqual(globSync(`${root}/${namespace}/**/*.tar.zst`).length, 1);
      await eventually(async () =>
        assert.match(
          await admin.kubectl("describe", "pod", "web-0"),
          /Warning +CoreDumpDenied .*its core was not kept: Quota exceed/,
        ),
      );
      assert.equal(nanos((await admin.get("coredumpquota", "default"))["status"].used), nanos(saved["spec"].size));
      assert.equal(await agent.end(), 0);
    });

  test("and 49 more at once, under a quota for ten: ten are stored, forty denied, nothing twice", async () => {
    const namespace = await cluster.namespace();
    const admin = cluster.in(namespace);
    const root = join(folder.path, "store-of-many");
    mkdirSync(root);
    await using agent = await startAgent(`--store=${root}`);
    await run(admin, "web-0");
    await crash(admin, "web-0", "/bin/crash");
    const size = await eventually(async () => {
      const [first] = await dumpsIn(admin);
      assert.equal(first?.["status"]?.state, "Saved", agent.said);
      return Number(nanos(first?.["spec"].size)) / 1e9;
    });
    await setQuota(admin, `${Math.floor(10.5 * size)}`); // one may be some pages larger than another
    await crash(admin, "web-0", "for i in $(seq 49); do /bin/crash & done; wait", 49);

    const dumps = await eventually(async () => {
      const dumps = await dumpsIn(admin);
      const states = Object.groupBy(dumps, ({ status }) => status?.state);
      const counts = Object.fromEntries(Object.entries(states).map(([state, all]) => [state, all?.length]));
      assert.deepEqual(counts, { Saved: 10, Denied: 40 }, agent.said);
      return dumps;
    });
    const used = dumps.filter(({ status }) => status.state === "Saved").map(({ spec }) => nanos(spec.size) ?? 0n);
    await eventually(async () =>
      assert.equal(
        nanos((await admin.get("coredumpquota", "default"))["status"]?.used),
        used.reduce((sum, one) => sum + one, 0n),
      ),
    );
    await eventually(() => {
      const stateOf = new Map(recordsOf(namespace).map(({ id, state }) => [id, state]));
      assert.equal(stateOf.size, 50);
      for (const { spec, status } of dumps) assert.equal(stateOf.get(spec.id), status.state);
      assert.ok(!recordsOf(namespace).some(holds));
    });
    assert.equal(globSync(`${root}/**/*.tar.zst`).length, 10);
  });

  test("shows in the agent's figures, while its Lease keeps the node labelled", async () => {
    const namespace = await cluster.namespace();
    const admin = cluster.in(namespace);
    const root = join(folder.path, "store-that-comes-later");
    await using agent = await startAgent(`--store=${root}`);
    const figure = (name: string): Promise<number> => agent.metric(`coredump_agent_${name}`);
    const lease = async (): Promise<Resource> =>
      (await cluster.in(SYSTEM).get("lease", "coredump-node-node-1"))["spec"] as Resource;
    const label = async (): Promise<unknown> => (await cluster.get("node", "node-1")).metadata["labels"]["coredump"];
    await eventually(async () => assert.equal(await label(), "true", controller.said));
    const { renewTime } = await lease();

    await run(admin, "web-0");
    await crash(admin, "web-0", "kill -SEGV $$");
    await admin.kubectl("label", "pod", "web-0", "coredump.fujitsu.com/no-coredump=true");
    await crash(admin, "web-0", "kill -ABRT $$");
    await eventually(async () => {
      assert.equal(await figure("captured_total"), 1, agent.said);
      assert.equal(await figure('refused_total{reason="OptedOut"}'), 1);
      assert.ok((await figure('failures_total{code="STORE_MISSING"}')) >= 1);
      assert.ok((await figure("queue_age_seconds")) > 0);
      const queued = await figure("queue_bytes");
      assert.ok(queued > 0 && queued <= (await figure("cache_bytes")));
    });
    assert.equal(await agent.metric("coredump_handler_seconds_count"), 2);
    const held = await agent.metric("coredump_handler_seconds_sum");
    assert.ok(held > 0 && held < 60, `${held}`);
    assert.equal(await figure("stored_total"), 0);
    const [failed] = (await dumpsIn(admin)).filter(({ status }) => status?.state === "FailedToSave");
    assert.match(failed?.["status"].message, /^Cannot find the store's directory/);

    mkdirSync(root);
    await eventually(async () => {
      assert.equal(await figure("stored_total"), 1, agent.said);
      assert.equal(await figure("queue_bytes"), 0);
    });
    await eventually(async () => assert.notEqual((await lease())["renewTime"], renewTime));
    assert.equal(await agent.end(), 0);
    await eventually(async () => assert.equal(await label(), undefined, controller.said));
  });
});

/** Made, or given another limit. */
async function setQuota(admin: User, hard: string): Promise<void> {
  const body = { apiVersion: "coredump.fujitsu.com/v1", kind: "CoredumpQuota", metadata: { name: "default" } };
  await admin.send("apply", { ...body, spec: { hard } });
}

/** What is in a bundle, opened as anybody would open it. */
function bundleAt(path: string): { info: { pod: unknown }; coreSha256: string } {
  const tar = (name: string): Buffer => execFileSync("tar", ["--zstd", "-xOf", path, name], { maxBuffer: 1 << 30 });
  const sum = execFileSync("sha256sum", { input: tar("core"), encoding: "utf8" });
  return { info: JSON.parse(tar("info.json").toString()), coreSha256: sum.slice(0, 64) };
}
