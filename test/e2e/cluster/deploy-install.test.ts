/** deploy.sh and `kubectl create -f` on a real cluster: then tenants list and download through the aggregated API. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import { importEtcd, importImage } from "../../support/image.ts";
import { KUBECTL, type Resource, type User } from "../../support/kubectl.ts";
import { ROOT } from "../../support/paths.ts";
import { holdPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { type TempDir, tempDir } from "../../support/tmp.ts";

const skip = needs("root", "cluster", "binary", "command:openssl");
const exec = promisify(execFile);
const SYSTEM = "dumps";
const RAW = "/apis/coredump.fujitsu.com/v1alpha1/namespaces/default";

describe("deploy.sh, installed", { skip }, () => {
  let cluster: Cluster;
  let folder: TempDir;
  let binDir: string;
  let pattern: AsyncDisposable;
  let tenant: User;
  let stranger: User;

  before(async () => {
    folder = tempDir();
    binDir = mkdtempSync("/opt/cd-"); // /tmp is a place that others can write in
    cluster = await startCluster({ node: true });
    await importImage(cluster, folder.path);
    pattern = await holdPattern("core", { limit: 0, suidDumpable: 0 });
    tenant = (await cluster.user("tenant")).in("default");
    stranger = (await cluster.user("stranger")).in("default");
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
    await pattern?.[Symbol.asyncDispose]();
    for (const path of [binDir, folder?.path]) if (path) rmSync(path, { recursive: true, force: true });
  });

  const said = (what: string) =>
    cluster
      .in(SYSTEM)
      .kubectl("logs", what, "--tail=30")
      .catch((error) => String(error));

  /** What an admin edits: images, the handler's place, where this machine's engine and kubelet are. */
  async function edited(): Promise<string> {
    const out = join(folder.path, "out");
    await exec("sh", [join(ROOT, "install/deploy.sh"), SYSTEM, "coredumps", out]);
    const etcd = await importEtcd(cluster, folder.path);
    const node = cluster.nodeFolder();
    const own = [`--cri-endpoint=${node}/run/containerd.sock`, `--kubelet-root=${node}/kubelet`, "--free-share=5"];
    const text = readFileSync(join(out, "coredump.yaml"), "utf8")
      .replaceAll(/registry\.k8s\.io\/etcd:\S+?"/g, `${etcd}"`)
      .replaceAll("/host/coredump", `/host${binDir}`)
      .replaceAll("path: /coredump,", `path: ${binDir},`)
      .replaceAll("--bin-dir=/coredump", `--bin-dir=${binDir}`)
      .replaceAll("/var/coredump", join(folder.path, "cores"))
      .replace(
        "- --host-root=/host",
        ["- --host-root=/host", ...own, "--host=ignore"].join("\n            - ").replaceAll("- - ", "- "),
      );
    const file = join(out, "edited.yaml");
    writeFileSync(file, text);
    return file;
  }

  test("all parts come up", async () => {
    for (const [name, mode] of [
      ["coredump-backend", "ReadWriteMany"],
      ["etcd-data", "ReadWriteOnce"],
    ] as const) {
      const path = join(folder.path, name);
      mkdirSync(path);
      chmodSync(path, 0o777); // what a provisioner does by fsGroup
      await cluster.send("create", volume(name, mode, path));
    }
    await cluster.kubectl("create", "-f", await edited());
    // There is no name service here.
    const { spec } = await cluster.in(SYSTEM).get("service", "etcd-svc");
    const alias = {
      spec: { template: { spec: { hostAliases: [{ ip: spec.clusterIP, hostnames: [`etcd-svc.${SYSTEM}.svc`] }] } } },
    };
    await cluster.in(SYSTEM).kubectl("patch", "deployment", "coredump-api", "--patch", JSON.stringify(alias));
    try {
      for (const part of [
        "daemonset/coredump-agent",
        "statefulset/etcd",
        "deployment/coredump-api",
        "deployment/coredump-gc",
      ])
        await cluster.in(SYSTEM).kubectl("rollout", "status", part, "--timeout=90s");
    } catch (error) {
      const pods = await cluster.in(SYSTEM).kubectl("get", "pods", "--output=jsonpath={..waiting}{..terminated}");
      const logs = await Promise.all(
        ["deployment/coredump-api", "deployment/coredump-gc", "statefulset/etcd"].map(said),
      );
      throw new Error([(error as Error).message, pods, ...logs].join("\n"));
    }
    await cluster.kubectl(
      "wait",
      "--for=condition=Available",
      "apiservice/v1alpha1.coredump.fujitsu.com",
      "--timeout=60s",
    );
  });

  test("a tenant lists and downloads the crash, and nobody else does", async () => {
    const admin = cluster.in("default");
    await admin.kubectl("create", "rolebinding", "tenant", "--clusterrole=coredump-tenant", "--user=tenant");
    await admin.kubectl("run", "web-0", "--image=localhost/testbed:1", "--restart=Never", "--", "sleep", "3600");
    await admin.kubectl("wait", "--for=condition=Ready", "pod/web-0", "--timeout=60s");
    await admin.kubectl("exec", "web-0", "--", "sh", "-c", "kill -11 $$").catch(() => undefined);
    const dump = await eventually(async () => {
      const [found] = (await tenant.get("coredumps"))["items"] as Resource[];
      assert.equal(found?.["status"]?.state, "Saved", await said("daemonset/coredump-agent"));
      return found as Resource;
    });
    const name = dump.metadata["name"] as string;

    await tenant.send("create", {
      ...{ apiVersion: "coredump.fujitsu.com/v1alpha1", kind: "CoredumpEndpoint", metadata: { name: "web-0" } },
      spec: {},
    });
    assert.match(await tenant.kubectl("get", "coredumpendpoints", "--output=name"), /\/web-0$/m);
    const tar = join(folder.path, "web-0.tar");
    await fetched(tenant, `${RAW}/coredumpendpoints/web-0/dump?part=core`, tar);
    const core = join(folder.path, "core");
    await fetched(tenant, `${RAW}/coredumps/${name}/dump`, core);
    const bytes = readFileSync(core);
    assert.equal(`sha256:${createHash("sha256").update(bytes).digest("hex")}`, dump["status"].checksum);
    const { stdout } = await exec("tar", ["-tf", tar]);
    assert.match(stdout, /^web-0\/.*\.core$/m);
    for (const path of [`coredumps/${name}/dump`, "coredumpendpoints/web-0/dump", "coredumpendpoints"])
      assert.match(await stranger.refusal("get", "--raw", `${RAW}/${path}`), /forbidden/i);
  });

  test("retire gives the node back before it is deleted", async () => {
    const args = ["retire", "--wait=5s", "--namespace", SYSTEM, "--kubeconfig", cluster.kubeconfig];
    const { stdout } = await exec(join(ROOT, "dist/coredump-detector"), args);
    assert.match(stdout, /^node-1: core_pattern restored to core; /);
    assert.equal(readFileSync("/proc/sys/kernel/core_pattern", "utf8"), "core\n");
  });

  /** kubectl's own output is text; the bytes of a core are not. */
  async function fetched(user: User, path: string, file: string): Promise<void> {
    await exec("sh", ["-c", '"$0" --kubeconfig "$1" get --raw "$2" > "$3"', KUBECTL, user.kubeconfig, path, file]);
  }
});

const volume = (name: string, mode: string, path: string): Resource => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name },
  spec: {
    capacity: { storage: "20Gi" },
    accessModes: [mode],
    persistentVolumeReclaimPolicy: "Retain",
    hostPath: { path },
  },
});
