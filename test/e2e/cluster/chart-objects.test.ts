/** What the rendered chart says of our own pods and of their surroundings. No cluster is asked. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { OPT_OUT_LABEL } from "../../../src/domain/wishes.ts";
import { CHART, helm } from "../../support/helm.ts";
import type { Resource } from "../../support/kubectl.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("cluster");
const ALL = [
  "--set=etcd.enabled=true,webhook.enabled=true,store.url=s3://cores,store.options.s3-region=x,debugImage=gdb:1",
];

/** With the hooks; --is-upgrade, so that the definitions' hook is one of them. */
async function rendered(...flags: readonly string[]): Promise<Resource[]> {
  const text = await helm(undefined, "template", "dumps", CHART, "--namespace=ours", "--is-upgrade", ...ALL, ...flags);
  return parseAllDocuments(text).flatMap((document) => (document.toJS() as Resource | null) ?? []);
}
const named = (objects: readonly Resource[], kind: string, name: string): Resource =>
  objects.find((each) => each.kind === kind && each.metadata["name"] === name) ?? assert.fail(`no ${kind} ${name}`);

describe("the chart's objects", { skip }, () => {
  test("all pods are opted out, but for the one that is to crash", async () => {
    const objects = await rendered();
    const pods = objects.flatMap((object) => (object.kind === "Pod" ? object : (object["spec"]?.template ?? [])));
    assert.equal(pods.length, 8, "agent, controller, API server, collector, webhook, etcd, the hook, the test");
    const notOut = pods.filter(({ metadata }) => metadata["labels"][OPT_OUT_LABEL] !== "true");
    assert.deepEqual(
      notOut.map(({ metadata }) => metadata["name"]),
      ["dumps-crash-test"],
    );
    const service = parseAllDocuments(readFileSync(join(ROOT, "install/webhook/service.yaml"), "utf8"));
    const webhook = service.map((each) => each.toJS() as Resource).find(({ kind }) => kind === "Deployment");
    assert.equal(webhook?.["spec"].template.metadata.labels[OPT_OUT_LABEL], "true");
  });

  test("the image has one name where nobody says another: that which image.sh gives it", async () => {
    const default_ = /name: \{ type: "string", default: "(\S+)" \}/.exec(
      readFileSync(join(ROOT, "install/image/main.ts"), "utf8"),
    )?.[1];
    const { appVersion } = parse(readFileSync(join(CHART, "Chart.yaml"), "utf8"));
    const images = (await rendered()).flatMap((object) => [...JSON.stringify(object).matchAll(/"image":"([^"]+)"/g)]);
    const files = ["install/webhook/service.yaml", "install/deploy/coredump.yaml"].flatMap((file) => [
      ...readFileSync(join(ROOT, file), "utf8").matchAll(/image: "?([^"\n]+)/g),
    ]);
    const names = new Set([...images, ...files].map(([, name]) => name).filter((name) => !name?.includes("/etcd:")));
    assert.deepEqual([...names], [`${default_}:${appVersion}`]);
  });

  test("no hook waits longer than it says, nor for its image", async () => {
    const jobs = (await rendered("--set=hooks.startTimeout=2m")).filter(({ kind }) => kind === "Job");
    const limits = jobs.map(({ metadata, spec }) => [
      metadata["name"],
      spec.template.spec.activeDeadlineSeconds,
      spec.activeDeadlineSeconds,
    ]);
    assert.deepEqual(limits, [["coredump-crds", 150, 158]]);
  });

  test("no hook of a removal runs an image, and the agents have the time that it gives them", async () => {
    const objects = await rendered("--set=retireWait=1m30s");
    const hooks = objects.filter(({ metadata }) => /-delete/.test(metadata["annotations"]?.["helm.sh/hook"] ?? ""));
    const kinds = new Set(hooks.map(({ kind }) => kind));
    assert.deepEqual([...kinds].sort(), ["Lease", "Role", "RoleBinding", "Secret", "ServiceAccount"]);
    const { terminationGracePeriodSeconds, containers } = named(objects, "DaemonSet", "coredump-agent")["spec"].template
      .spec;
    assert.equal(terminationGracePeriodSeconds, 120);
    assert.ok(containers[0].args.includes("--retire-wait=1m30s"));
  });

  test("the removal takes the Secret that the webhook made, and no certificate of an admin's", async () => {
    const removed = async (...flags: string[]) =>
      (await rendered(...flags)).filter((each) => each.metadata["annotations"]?.["helm.sh/hook"] === "post-delete");
    const secrets = (objects: Resource[]) =>
      objects.flatMap(({ kind, metadata }) => (kind === "Secret" ? metadata["name"] : []));
    assert.deepEqual(secrets(await removed()), ["coredump-webhook"]);
    const own = "--set=webhook.certificate=secret,webhook.certificateSecret=coredump-webhook";
    assert.deepEqual(secrets(await removed(own)), []);
  });

  test("the API server has no claim, but where its size is said or an etcd keeps its objects", async () => {
    const claims = (objects: Resource[]) => objects.filter(({ kind }) => kind === "PersistentVolumeClaim");
    const volume = (objects: Resource[]) =>
      named(objects, "Deployment", "coredump-api")["spec"].template.spec.volumes.find(
        ({ name }: { name: string }) => name === "data",
      );
    const without = await rendered("--set=etcd.enabled=false");
    assert.deepEqual([claims(without), volume(without)], [[], { name: "data", emptyDir: { sizeLimit: "1Gi" } }]);
    const said = await rendered("--set=etcd.enabled=false,apiserver.database.size=2Gi");
    assert.equal(claims(said)[0]?.["spec"].resources.requests.storage, "2Gi");
    assert.equal(volume(said).persistentVolumeClaim.claimName, "coredump-api");
    assert.equal(volume(await rendered()), undefined);
  });

  test("view has a role without memory, and an image with gdb is where everyone may read it", async () => {
    const objects = await rendered();
    const viewer = named(objects, "ClusterRole", "coredump-viewer");
    assert.equal(viewer.metadata["labels"]["rbac.authorization.k8s.io/aggregate-to-view"], "true");
    assert.doesNotMatch(JSON.stringify(viewer["rules"]), /dump"|delete|create/);
    assert.deepEqual(named(objects, "ConfigMap", "coredump-detector")["data"], { debugImage: "gdb:1" });
    assert.equal(named(objects, "ConfigMap", "coredump-detector").metadata["namespace"], "kube-public");
    assert.equal((await rendered("--set=debugImage=")).filter(({ kind }) => kind === "ConfigMap").length, 1);
  });

  test("on OpenShift the agents' pods may be what they are, and the others have a constraint of the platform's", async () => {
    assert.doesNotMatch(JSON.stringify(await rendered()), /openshift/i);
    const objects = await rendered("--api-versions=security.openshift.io/v1");
    const scc = named(objects, "SecurityContextConstraints", "coredump-agent");
    assert.deepEqual(scc["users"], ["system:serviceaccount:ours:coredump-agent"]);
    const { spec } = named(objects, "DaemonSet", "coredump-agent")["spec"].template;
    assert.deepEqual(scc["allowedCapabilities"], spec.containers[0].securityContext.capabilities.add);
    for (const volume of spec.volumes)
      assert.ok(scc["volumes"].includes(Object.keys(volume).find((key) => key !== "name")), JSON.stringify(volume));
    assert.deepEqual(spec.securityContext.seLinuxOptions, { type: "spc_t" });
    assert.equal(named(objects, "RoleBinding", "coredump-nonroot")["roleRef"].name, "system:openshift:scc:nonroot-v2");
  });
});
