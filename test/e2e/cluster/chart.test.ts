/** The chart, rendered: whether it is one, whether a real API server takes its objects, and what it refuses. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds } from "../../support/coredump-resources.ts";
import { CHART, helm, helmRefusal } from "../../support/helm.ts";
import type { Resource } from "../../support/kubectl.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster", "binary");
const S3 = ["--set=store.url=s3://cores/prod", "--set=store.options.s3-region=eu-central-1"];
const profile = (name: string) => `--values=${join(CHART, "profiles", `${name}.yaml`)}`;

const CASES: Readonly<Record<string, readonly string[]>> = {
  "with nothing said": [],
  "profile minimal": [profile("minimal")],
  "profile minimal, a directory": [
    profile("minimal"),
    "--set=store.url=/store",
    "--set=store.volume.nfs.server=nfs.example,store.volume.nfs.path=/cores",
  ],
  "profile s3": [profile("s3"), ...S3, "--set=store.credentialsSecret=writer,store.readerCredentialsSecret=reader"],
  "profile full, with etcd": [
    profile("full"),
    ...S3,
    "--set=etcd.servers=https://etcd-0:2379,etcd.certificateSecret=etcd,quotas.default=10Gi",
  ],
  "an etcd and a claim of its own": [
    "--set=store.url=/store,store.claim.size=10Gi,etcd.enabled=true,apiserver.serviceName=coredumps",
  ],
  "without a controller": ["--set=controller.enabled=false"],
  "a webhook's certificate by a Secret": [
    profile("full"),
    ...S3,
    "--set=webhook.certificate=secret,webhook.certificateSecret=mine",
  ],
  "a predecessor's values": [
    "--set=pvc.bucketName=cores,store.options.s3-endpoint=https://s3.example,store.options.s3-region=x",
    "--set=daemonset.crioEndpoint=unix:///run/crio/crio.sock,composer.logLength=100,daemonset.NS_DISK_QUOTA=5Gi",
  ],
};

const REFUSED: readonly { readonly on: string; readonly flags: readonly string[]; readonly says: RegExp }[] = [
  { on: "an unknown option", flags: ["--set=agent.options.max-dmp-size=1Gi"], says: /'max-dmp-size' not allowed/ },
  { on: "an unknown value", flags: ["--set=agnet.enabled=false"], says: /'agnet' not allowed/ },
  { on: "a directory without a volume", flags: ["--set=store.url=/store"], says: /store\.volume must say/ },
  { on: "downloads without a store", flags: ["--set=apiserver.enabled=true"], says: /needs store\.url/ },
  {
    on: "a webhook without a controller",
    flags: ["--set=webhook.enabled=true,controller.enabled=false"],
    says: /webhook\.enabled needs controller\.enabled/,
  },
  {
    on: "two buckets",
    flags: [...S3, "--set=pvc.bucketName=cores"],
    says: /store\.url is s3:\/\/cores\/prod, but pvc\.bucketName .* says cores: give one/,
  },
];

async function rendered(...flags: readonly string[]): Promise<Resource[]> {
  const text = await helm(undefined, "template", "dumps", CHART, "--namespace=ibm-observe", "--no-hooks", ...flags);
  return parseAllDocuments(text).flatMap((document) => (document.toJS() as Resource | null) ?? []);
}

test("the chart puts what the pods' own roles need on their accounts", { skip }, async () => {
  const role = "eks.amazonaws.com/role-arn";
  const flags = [`--set-string=agent.serviceAccountAnnotations.${role.replaceAll(".", "\\.")}=arn`];
  const accounts = (await rendered(...flags)).filter(({ kind }) => kind === "ServiceAccount");
  const annotated = accounts.filter(({ metadata }) => metadata["annotations"]?.[role] === "arn");
  assert.deepEqual(
    annotated.map(({ metadata }) => metadata["name"]),
    ["coredump-agent"],
  );
});

describe("the chart", { skip }, () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await startCluster();
    await applyCrds(cluster);
    await cluster.kubectl("create", "namespace", "ibm-observe");
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });

  test("has nothing that helm lint finds fault with", async () => {
    assert.match(await helm(undefined, "lint", "--strict", CHART, ...S3), /1 chart\(s\) linted, 0 chart\(s\) failed/);
  });

  for (const [on, flags] of Object.entries(CASES)) {
    test(`makes objects that the API server takes: ${on}`, async () => {
      const objects = await rendered(...flags);
      const file = join(cluster.folder, "rendered.json");
      writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
      const said = await cluster.kubectl("create", "--dry-run=server", "--validate=strict", "--filename", file);
      assert.equal(said.trim().split("\n").length, objects.length);
      for (const object of objects)
        if (object["spec"]?.template) assert.equal(object["spec"].template.spec.enableServiceLinks, false, object.kind);
      assert.doesNotMatch(JSON.stringify(objects), /coredump-system/);
    });
  }

  for (const { on, flags, says } of REFUSED) {
    test(`refuses ${on}`, async () => {
      assert.match(await helmRefusal(undefined, "template", "dumps", CHART, ...flags), says);
    });
  }
});
