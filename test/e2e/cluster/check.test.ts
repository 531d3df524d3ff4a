/** `kubectl coredump check` against a real API server: what it tries there, and what it finds when that is taken away. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { check } from "../../../src/cli/check/check.ts";
import { openSession } from "../../../src/cli/client/session.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds, applyPolicy } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";

const NS = "coredump-system";
const POLICY = "coredump-writers.coredump.fujitsu.com";

describe("kubectl coredump check", { skip: needs("root", "cluster") }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
    await applyCrds(cluster);
    await cluster.kubectl("create", "clusterrolebinding", "probe", "--clusterrole=cluster-admin", "--user=probe");
    await applyPolicy(cluster, await cluster.user("probe"), await cluster.namespace());
    for (const role of parseAllDocuments(readFileSync(join(ROOT, "install/rbac/agent.yaml"), "utf8")))
      await cluster.send("apply", role.toJS());
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  /** Level and text of what was found there. */
  async function found(what: string): Promise<string[]> {
    const { http } = await openSession({ kubeconfig: cluster.kubeconfig, asGroups: [], insecure: false });
    const steps = await check({ http, namespace: NS, signal: AbortSignal.timeout(60_000) });
    return steps.filter((step) => step.what === what).map(({ level, text }) => `${level} ${text}`);
  }
  const writes = (want: RegExp) => eventually(async () => assert.match((await found("writing")).join("\n"), want));

  test("tries a write as an agent would, which the policies see, and leaves nothing", async () => {
    await writes(/^ok an agent may register dumps of its own node, and of no other$/);
    assert.deepEqual(await found("rights"), ["ok each part may do what it needs most"]);
    assert.match((await found("crds")).join(), /^ok /);
    assert.equal((await cluster.in(NS).kubectl("get", "coredumps", "--output=name")).trim(), "");
  });

  test("finds a policy that cannot be evaluated, and one that is not there", async () => {
    const policy = await cluster.get("validatingadmissionpolicy", POLICY);
    const binding = await cluster.get("validatingadmissionpolicybinding", POLICY);
    policy["spec"].paramKind = { apiVersion: "v1", kind: "ConfigMap" };
    binding["spec"].paramRef = { name: "none", namespace: NS, parameterNotFoundAction: "Deny" };
    await cluster.send("replace", policy);
    await cluster.send("replace", binding);
    await writes(/^problem an agent cannot register a dump: .*param/);
    await cluster.kubectl("delete", "validatingadmissionpolicybinding", POLICY);
    await writes(/^problem an agent may register dumps of other nodes$/);
  });

  test("finds that an agent lacks a right", async () => {
    await cluster.kubectl("delete", "clusterrolebinding", "coredump-agent");
    await writes(/^problem an agent cannot register a dump: .*cannot create resource "coredumps"/);
    assert.match(
      (await found("rights")).join("\n"),
      /^problem coredump-agent may not create coredumps\.coredump\.fujitsu\.com$/m,
    );
  });
});
