/** deploy.sh: its objects are the chart's, and a real API server takes them. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { CHART, helm } from "../../support/helm.ts";
import type { Resource } from "../../support/kubectl.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const skip = needs("root", "cluster", "command:openssl");
const exec = promisify(execFile);
const SCRIPT = join(ROOT, "install/deploy.sh");
const COPY = join(ROOT, "install/deploy/coredump.yaml");

const objectsIn = (text: string): Resource[] =>
  parseAllDocuments(text).flatMap((document) => (document.toJS() as Resource | null) ?? []);

/** What deploy.sh fills in. `UPDATE=1` writes the committed copy, which it needs because nobody must have helm. */
test("install/deploy/coredump.yaml is the chart, rendered", { skip }, async () => {
  const values = join(ROOT, "install/deploy/values.yaml");
  const flags = ["--namespace=namespace-placeholder", "--no-hooks", `--values=${values}`];
  const text = (await helm(undefined, "template", "coredump", CHART, ...flags))
    .replaceAll("managed-by: Helm", "managed-by: deploy.sh")
    .replaceAll(/^# Source: .*\n/gm, "");
  if (process.env["UPDATE"]) writeFileSync(COPY, text);
  assert.deepEqual(objectsIn(readFileSync(COPY, "utf8")), objectsIn(text));
});

describe("deploy.sh", { skip }, () => {
  const folder = tempDir();
  const out = join(folder.path, "out");
  const deploy = (...args: string[]) => exec("sh", [SCRIPT, ...args]);
  const read = (name: string) => readFileSync(join(out, name), "utf8");
  let cluster: Cluster;

  before(async () => {
    cluster = await startCluster();
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  for (const args of [
    [],
    ["ns", "svc"],
    ["ns", "svc", "out", "more"],
    ["No_Name", "svc", "out"],
    ["ns", "a/b", "out"],
  ]) {
    test(`refuses the arguments ${JSON.stringify(args)}`, async () => {
      await assert.rejects(deploy(...args), {
        code: 1,
        stdout: "",
        stderr: /usage: sh deploy\.sh <namespace> <service>/,
      });
    });
  }

  test("writes certificates with names, keeps all to itself, and prints nothing secret", async () => {
    const { stdout, stderr } = await deploy("dumps", "coredumps", out);
    assert.match(stdout, /^\S+coredump\.yaml is ready: kubectl create -f \S+\n/);
    assert.match(stdout, /the image localhost\/coredump-detector:\S+ on every node/);
    assert.match(
      stdout,
      /volumes for the claims coredump-backend \(10Gi, ReadWriteMany: bundles\) and etcd-data-dir \(2Gi\)/,
    );
    assert.doesNotMatch(stdout, /PRIVATE KEY|[A-Za-z0-9+/=]{64}/);
    assert.equal(stderr, "");
    const certificate = new X509Certificate(read("server.crt"));
    assert.equal(certificate.subjectAltName, "DNS:coredumps.dumps.svc, DNS:coredumps.dumps.svc.cluster.local");
    assert.ok(certificate.verify(new X509Certificate(read("server-ca.crt")).publicKey));
    for (const name of readdirSync(out)) assert.equal(statSync(join(out, name)).mode & 0o077, 0, name);
  });

  test("run again, keeps the authorities", async () => {
    const before = [read("server-ca.crt"), read("etcd-ca.crt"), read("server.crt")];
    await deploy("dumps", "coredumps", out);
    assert.deepEqual([read("server-ca.crt"), read("etcd-ca.crt")], before.slice(0, 2));
    assert.notEqual(read("server.crt"), before[2]);
    assert.equal(existsSync(join(out, "server.csr")), false);
  });

  test("writes what kubectl create -f takes: the predecessors' objects, and what a working system needs besides", async () => {
    await cluster.kubectl("create", "-f", join(out, "coredump.yaml"));
    const objects = objectsIn(read("coredump.yaml"));
    const names = new Set(objects.map(({ kind, metadata }) => `${kind}/${metadata["name"]}`));
    for (const name of [
      ...[
        "Namespace/dumps",
        "ServiceAccount/coredump-api",
        "ServiceAccount/coredump-gc",
        "ServiceAccount/coredump-agent",
      ],
      ...["APIService/v1alpha1.coredump.fujitsu.com", "Service/coredumps", "Service/etcd-svc", "StatefulSet/etcd"],
      ...["Deployment/coredump-api", "Deployment/coredump-gc", "Deployment/coredump-controller"],
      ...["DaemonSet/coredump-agent", "Secret/servercrt", "CustomResourceDefinition/coredumps.coredump.fujitsu.com"],
    ])
      assert.ok(names.has(name), name);
    const api = objects.find(({ kind }) => kind === "APIService");
    assert.equal(Buffer.from(api?.["spec"].caBundle, "base64").toString(), read("server-ca.crt"));
    const text = read("coredump.yaml");
    const [{ metadata }] = objects.filter(({ kind }) => kind === "Namespace") as [Resource];
    assert.equal(metadata["labels"]?.["pod-security.kubernetes.io/enforce"], "privileged");
    for (const volume of ["etcd-data-dir", "coredump-backend"]) assert.match(text, new RegExp(`name: ${volume}\\b`));
    assert.doesNotMatch(text, /placeholder/i);
    await cluster.kubectl("delete", "apiservice", "v1alpha1.coredump.fujitsu.com");
  });
});
