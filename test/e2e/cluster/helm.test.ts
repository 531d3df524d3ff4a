/** The whole system as an admin gets it: image, helm install, a crash, helm test, an upgrade in a crash loop, helm uninstall. */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { openCache } from "../../../src/node/cache/cache.ts";
import { programOf, readPattern, readSetting } from "../../../src/node/kernel/core-pattern.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import { CHART, helm, helmRefusal } from "../../support/helm.ts";
import { importImage } from "../../support/image.ts";
import type { Resource } from "../../support/kubectl.ts";
import { BINARY } from "../../support/paths.ts";
import { holdPattern } from "../../support/pattern.ts";
import { type S3, startS3 } from "../../support/s3.ts";
import { needs } from "../../support/set-up.ts";
import { type TempDir, tempDir } from "../../support/tmp.ts";

const skip = needs("root", "cluster", "binary", "command:prlimit");
const exec = promisify(execFile);
const RELEASE = "coredump-handler";
const SYSTEM = "ibm-observe";
const CRASHES = 50;
/** The agent looks at what it needs every ten seconds. */
const IDLE_MS = 60_000;
const kernelValues = () => [readPattern(), readSetting("pipeLimit"), readSetting("suidDumpable")];

describe("helm install", { skip }, () => {
  let cluster: Cluster;
  let s3: S3;
  let gate: Server;
  let folder: TempDir;
  let binDir: string;
  let values: string;
  let pattern: AsyncDisposable;
  let isInstalled = false; // without that, nothing else need be waited for, by others neither

  before(async () => {
    [folder, s3] = [tempDir(), await startS3()];
    binDir = mkdtempSync("/opt/cd-"); // /tmp is a place that others can write in
    cluster = await startCluster({ node: true });
    await importImage(cluster, folder.path);
    gate = await gateTo(new URL(s3.endpoint), cluster.address);
    values = join(folder.path, "values.json");
    writeFileSync(values, JSON.stringify(valuesFor()));
    pattern = await holdPattern("core", { limit: 0, suidDumpable: 0 });
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
    await pattern?.[Symbol.asyncDispose]();
    await s3?.[Symbol.asyncDispose]();
    gate?.close();
    for (const path of [binDir, folder?.path]) if (path) rmSync(path, { recursive: true, force: true });
  });

  const valuesFor = () => ({
    image: { pullPolicy: "Never" },
    store: {
      url: `s3://${s3.bucket}/prod`,
      credentialsSecret: "cos-write-access",
      options: { "s3-endpoint": `http://${cluster.address}:${(gate.address() as AddressInfo).port}` },
    },
    agent: {
      binDir,
      dumpDir: join(folder.path, "cores"),
      options: {
        "cri-endpoint": join(cluster.nodeFolder(), "run/containerd.sock"),
        "kubelet-root": join(cluster.nodeFolder(), "kubelet"),
        "free-share": 5,
        "cache-share": 50,
        host: "ignore",
      },
    },
    apiserver: { enabled: false }, // its claim wants a provisioner
    quotas: { default: "10Gi" },
    retireWait: "20s",
  });
  const run = (...args: string[]) => helm(cluster.kubeconfig, ...args, "--namespace", SYSTEM);
  const agentSaid = () =>
    cluster
      .in(SYSTEM)
      .kubectl("logs", "daemonset/coredump-agent", "--tail=50")
      .catch((error) => String(error));
  const dumps = async (namespace: string): Promise<Resource[]> =>
    (await cluster.in(namespace).get("coredumps"))["items"] as Resource[];

  /** By the agent, at its end: helm does not wait for pods. */
  const isGivenBack = () => eventually(async () => assert.deepEqual(kernelValues(), ["core", "0", "0"]));

  async function busybox(name: string, ...command: string[]): Promise<void> {
    const user = cluster.in("default");
    await user.kubectl("run", name, "--image=localhost/testbed:1", "--restart=Never", "--", ...command);
    await user.kubectl("wait", "--for=condition=Ready", `pod/${name}`, "--timeout=60s");
  }

  test("brings all parts up, and the kernel calls us", async () => {
    await cluster.kubectl("create", "namespace", SYSTEM);
    const keys = [`--from-literal=access-key=${s3.accessKey}`, `--from-literal=secret-key=${s3.secretKey}`];
    await cluster.in(SYSTEM).kubectl("create", "secret", "generic", "cos-write-access", ...keys);
    try {
      await run("install", RELEASE, CHART, "--create-namespace", "--values", values, "--wait", "--timeout=3m");
    } catch (error) {
      const pods = await cluster.in(SYSTEM).kubectl("get", "pods", "--output=jsonpath={..waiting}{..terminated}");
      throw new Error(`${(error as Error).message}\n${pods}\n${await agentSaid()}`);
    }
    isInstalled = true;
    await eventually(async () =>
      assert.equal(programOf(readPattern()), join(binDir, "coredump-detector"), await agentSaid()),
    );
    await eventually(async () =>
      assert.equal((await cluster.get("node", "node-1")).metadata["labels"]?.["coredump"], "true"),
    );
  });

  test("a second one in the same cluster is refused", async () => {
    assert.ok(isInstalled);
    const said = await helmRefusal(cluster.kubeconfig, "install", "another", CHART, "--namespace=default");
    assert.match(said, /installed in this cluster already \(ibm-observe\/coredump-handler\)/);
  });

  test("a crash in a busybox pod is in S3, with the right pod in it", async () => {
    assert.ok(isInstalled);
    await busybox("web-0", "sleep", "3600");
    await cluster
      .in("default")
      .kubectl("exec", "web-0", "--", "sh", "-c", "kill -11 $$")
      .catch(() => undefined);
    const saved = await eventually(async () => {
      const [found] = await dumps("default");
      assert.equal(found?.["status"]?.state, "Saved", await agentSaid());
      return found as Resource;
    });
    const file = join(s3.folder, "data", s3.bucket, "prod", saved["status"].key);
    const { stdout } = await exec("tar", ["--zstd", "-xOf", file, "info.json"]);
    const { uid } = (await cluster.in("default").get("pod", "web-0")).metadata;
    assert.deepEqual(JSON.parse(stdout).pod, { namespace: "default", name: "web-0", uid });
  });

  test("helm test passes: a crash becomes a Coredump, and no part says that anything is wrong", async () => {
    assert.ok(isInstalled);
    const said = await run("test", RELEASE, "--timeout=3m", "--logs");
    assert.match(said, /Phase: +Succeeded/);
    for (const part of ["agent", "controller", "gc", "node node-1"]) assert.match(said, new RegExp(`^✔ ${part} `, "m"));
  });

  test("kubectl coredump check finds nothing wrong, and its own crash leaves neither pod nor Coredump", async () => {
    assert.ok(isInstalled);
    const env = { ...process.env, KUBECONFIG: cluster.kubeconfig };
    const args = ["check", "--self-test", "--node=node-1", "--namespace", SYSTEM];
    const plugin = join(folder.path, "kubectl-coredump");
    symlinkSync(BINARY, plugin);
    const { stdout } = await exec(plugin, args, { env }).catch((error) => {
      throw new Error(`${error.message}${error.stdout}`);
    });
    assert.match(stdout, /^✔ self-test +a crash on node node-1 became a Coredump, Saved /m);
    assert.doesNotMatch(stdout, /^✘/m);
    await eventually(async () => {
      assert.doesNotMatch(await cluster.in(SYSTEM).kubectl("get", "pods", "--output=name"), /self-test/);
      assert.doesNotMatch(JSON.stringify(await dumps(SYSTEM)), /self-test/);
    });
  });

  test("an idle agent of the chart has no failures, and finds in the kernel's log what the kernel gave up", async () => {
    assert.ok(isInstalled);
    const system = cluster.in(SYSTEM);
    const [agent] = (await system.get("pods", "--selector=app.kubernetes.io/name=coredump-agent"))["items"];
    const upMs = Date.now() - Date.parse(agent.status.containerStatuses[0].state.running.startedAt);
    await sleep(Math.max(0, IDLE_MS - upMs));
    const path = `/api/v1/namespaces/${SYSTEM}/pods/${agent.metadata.name}:9099/proxy/metrics`;
    const metrics = await cluster.kubectl("get", "--raw", path);
    assert.match(metrics, /^coredump_agent_kernel_log_readable 1$/m);
    assert.doesNotMatch(metrics, /^coredump_agent_failures_total\{code="UNEXPECTED"\} [1-9]/m);
    const { pid, signal } = spawnSync("prlimit", ["--core=1", "sh", "-c", "kill -SEGV $$"]);
    assert.equal(signal, "SIGSEGV");
    await eventually(async () => {
      const lost = openCache(join(folder.path, "cores"))
        .records()
        .filter(({ state }) => state === "Lost");
      const ours = lost.find(({ containerPid }) => containerPid === pid);
      assert.match(ours?.message ?? "", /^rlimit-1: RLIMIT_CORE is set to 1/, await agentSaid());
    });
  });

  test("helm upgrade in a crash loop loses no crash", async () => {
    assert.ok(isInstalled);
    // The parent counts what it sees die of the signal. In a pod's command $$ is one $.
    const loop = `n=0; while [ $n -lt ${CRASHES} ]; do sh -c 'kill -SEGV $$$$'; [ $? = 139 ] && n=$((n+1)); sleep 0.3; done; echo $n; sleep 3600`;
    await busybox("looping", "sh", "-c", loop);
    await run("upgrade", RELEASE, CHART, "--values", values, "--set=agent.podAnnotations.changed=yes", "--wait");
    await eventually(async () => {
      assert.equal((await cluster.in("default").kubectl("logs", "looping")).trim().split("\n").at(-1), `${CRASHES}`);
    });
    await eventually(async () => {
      const crashed = (await dumps("default")).filter(({ spec }) => spec.pod === "looping");
      const repeats = crashed.reduce((sum, { status }) => sum + Number(status?.repeats ?? 0), crashed.length);
      assert.equal(repeats, CRASHES, await agentSaid());
    });
  });

  test("helm uninstall gives the node back, and leaves records and bundles, and nothing else", async () => {
    assert.ok(isInstalled);
    const system = cluster.in(SYSTEM);
    await helmRefusal(cluster.kubeconfig, "test", RELEASE, "--timeout=1s", "--namespace", SYSTEM);
    const said = await run("uninstall", RELEASE, "--wait", "--timeout=3m");
    assert.match(said, /release "coredump-handler" uninstalled/);
    await isGivenBack();
    // The pattern goes first, what it named after it.
    await eventually(() => assert.deepEqual(existsSync(binDir) ? globSync(join(binDir, "{,.}*")) : [], []));
    assert.equal((await cluster.get("node", "node-1")).metadata["labels"]?.["coredump"], undefined);
    await eventually(async () => {
      const kinds = "all,configmaps,secrets,serviceaccounts,roles,rolebindings,leases,networkpolicies,pvc";
      assert.doesNotMatch(await system.kubectl("get", kinds, "--output=name"), /coredump/);
    });
    const wide =
      "clusterroles,clusterrolebindings,validatingadmissionpolicies,mutatingwebhookconfigurations,apiservices";
    assert.doesNotMatch(await cluster.kubectl("get", wide, "--output=name"), /coredump-/);
    assert.ok((await dumps("default")).length > 0);
  });

  for (const round of [2, 3])
    test(`installed again (${round}), it registers and saves the next crash, and is removed again`, async () => {
      assert.ok(isInstalled);
      const flags = ["--values", values, "--set=retireWait=1s,webhook.enabled=false", "--wait", "--timeout=3m"];
      await run("install", RELEASE, CHART, ...flags);
      await eventually(async () => assert.equal(programOf(readPattern()), join(binDir, "coredump-detector")));
      await busybox(`round-${round}`, "sleep", "3600");
      const user = cluster.in("default");
      await user.kubectl("exec", `round-${round}`, "--", "sh", "-c", "kill -11 $$").catch(() => undefined);
      await eventually(async () => {
        const found = (await dumps("default")).find(({ spec }) => spec.pod === `round-${round}`);
        assert.equal(found?.["status"]?.state, "Saved", await agentSaid());
      });
      await run("uninstall", RELEASE, "--wait", "--timeout=3m");
      await isGivenBack();
    });
});

/** The way from the pods to a server that listens for this machine alone. */
async function gateTo({ hostname, port }: URL, address: string): Promise<Server> {
  const server = createServer((inside) => {
    const outside = connect(Number(port), hostname);
    inside.pipe(outside).pipe(inside);
    const end = () => {
      for (const socket of [inside, outside]) socket.destroy();
    };
    for (const socket of [inside, outside]) socket.on("error", end);
  });
  server.listen(0, address);
  await once(server, "listening");
  return server;
}
