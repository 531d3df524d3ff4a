/** helm where the cluster lacks something: an image that is nowhere, a Secret, the namespace's Pod Security. No agent ever runs. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import { CHART, helm, helmRefusal } from "../../support/helm.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster");
const SYSTEM = "dumps";
const RELEASE = "dumps";
/** No registry answers there. */
const NOWHERE = ["--set=image.repository=localhost/is-nowhere", "--set=hooks.startTimeout=5s"];
const S3 = "--set=store.url=s3://cores,store.options.s3-region=x,store.credentialsSecret=keys";
/** Helm prints no more than that the hook failed: its pod stays, and is asked as docs/operations.md says. */
const WHY = /Failed to pull image "localhost\/is-nowhere:[^"]+"|ImagePullBackOff/;

describe("helm, refused", { skip }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster({ node: true });
    await cluster.kubectl("create", "namespace", SYSTEM);
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  const run = (...args: string[]) => helm(cluster.kubeconfig, ...args, "--namespace", SYSTEM);
  const refusal = (...args: string[]) => helmRefusal(cluster.kubeconfig, ...args, "--namespace", SYSTEM);
  const install = (...flags: string[]) => ["install", RELEASE, CHART, ...flags];

  const told = (hook: string) =>
    cluster.in(SYSTEM).kubectl("describe", "pods", `--selector=app.kubernetes.io/name=${hook}`);

  test("a Secret that is missing, or has other keys, is named before anything is installed", async () => {
    assert.match(
      await refusal(...install(S3)),
      /credentialsSecret is "keys": there is no such Secret in the namespace dumps/,
    );
    const system = cluster.in(SYSTEM);
    await system.kubectl("create", "secret", "generic", "keys", "--from-literal=id=a", "--from-literal=secret-key=b");
    assert.match(
      await refusal(...install(S3)),
      /that Secret has no key access-key, but id, secret-key\. Expected: kubectl/,
    );
    assert.match(await run(...install(S3, "--set=store.checkSecrets=false", "--dry-run=server")), /coredump-agent/);
    assert.equal(await system.kubectl("get", "deployments,daemonsets", "--output=name"), "");
  });

  test("a namespace that lets no agent in is named, with what to do", async () => {
    const label = (level: string) =>
      cluster.kubectl("label", "namespace", SYSTEM, `pod-security.kubernetes.io/enforce${level}`, "--overwrite");
    await label("=restricted");
    assert.match(await refusal(...install()), /enforces the Pod Security level "restricted": expected privileged/);
    await label("=privileged");
    await run(...install("--dry-run=server"));
    await label("-");
  });

  test("with an image that is nowhere it installs, shows why in its pods, and can be upgraded", async () => {
    await run(...install(...NOWHERE));
    assert.doesNotMatch(await run("get", "hooks", RELEASE), /coredump-crds/);
    await eventually(async () => {
      const waiting = await cluster.in(SYSTEM).kubectl("get", "pods", "--output=jsonpath={..waiting.reason}");
      assert.match(waiting, /ImagePullBackOff|ErrImagePull/);
    });
    await run("upgrade", RELEASE, CHART, ...NOWHERE, "--set=agent.podAnnotations.changed=yes");
    assert.doesNotMatch(await run("get", "hooks", RELEASE), /coredump-crds/, "the definitions are the same");
  });

  test("a hook whose image is nowhere ends by itself, and says so", async () => {
    await cluster.kubectl("delete", "crd", "coredumpquotas.coredump.fujitsu.com");
    const sinceMs = Date.now();
    const said = await refusal("upgrade", RELEASE, CHART, ...NOWHERE, "--timeout=5m");
    assert.match(said, /Job\/dumps\/coredump-crds not ready\. status: Failed/);
    assert.match(await told("coredump-crds"), WHY);
    assert.ok(Date.now() - sinceMs < 120_000);
    await applyCrds(cluster);
  });

  test("the removal needs no image: it is done in seconds, leaves nothing, and the release can be installed again", async () => {
    const sinceMs = Date.now();
    await run("uninstall", RELEASE, "--timeout=5m");
    assert.ok(Date.now() - sinceMs < 30_000);
    assert.doesNotMatch(await run("list"), /coredump-detector/);
    await cluster.in(SYSTEM).kubectl("delete", "job", "coredump-crds"); // which failed before, and stayed to say so
    await eventually(async () => {
      const kinds = "all,configmaps,secrets,serviceaccounts,roles,rolebindings,leases,networkpolicies,pvc";
      assert.doesNotMatch(await cluster.in(SYSTEM).kubectl("get", kinds, "--output=name"), /coredump/);
    });
    await run(...install(...NOWHERE));
  });
});
