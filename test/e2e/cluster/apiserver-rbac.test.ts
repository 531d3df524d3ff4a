/** The API server with the rights of install/rbac: enough, and none too many. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { API, ApiServer, askStraight, credentialsOf } from "../../support/apiserver.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { coredump } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import type { Resource } from "../../support/kubectl.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster");
const ROLE = parseAllDocuments(readFileSync(join(ROOT, "install/rbac/apiserver.yaml"), "utf8"))
  .map((document): Resource => document.toJS())
  .find(({ kind, metadata }) => kind === "ClusterRole" && metadata["name"] === "coredump-api") as Resource;

/** What needs each of its rights, and so fails without it. */
const NEEDED_BY: Readonly<Record<string, (paths: Paths) => readonly [method: string, path: string, body?: object]>> = {
  "create tokenreviews": ({ endpoints }) => ["GET", endpoints],
  "create subjectaccessreviews": ({ endpoints }) => ["GET", endpoints],
  "get namespaces": ({ endpoints, endpoint }) => ["POST", endpoints, endpoint({ poduid: "u-1" })],
  "get pods": ({ endpoints, endpoint }) => ["POST", endpoints, endpoint({})],
  "get coredumps": ({ coredump }) => ["GET", `${coredump}/dump`],
  "list coredumps": ({ endpoints }) => ["GET", `${endpoints}/there/dump`],
};

interface Paths {
  readonly endpoints: string;
  readonly coredump: string;
  readonly endpoint: (spec: object) => object;
}

describe("the API server's rights", { skip }, () => {
  let cluster: Cluster;
  let server: ApiServer;
  let paths: Paths;
  let users = 0;

  before(async () => {
    cluster = await startCluster();
    server = await ApiServer.start(cluster);
    const namespace = await cluster.namespace();
    const base = `/apis/${API}/namespaces/${namespace}`;
    const endpoint = (spec: object) => ({
      apiVersion: API,
      kind: "CoredumpEndpoint",
      metadata: { generateName: "e-" },
      spec,
    });
    paths = { endpoints: `${base}/coredumpendpoints`, coredump: `${base}/coredumps/core-1`, endpoint };
    const within = cluster.in(namespace);
    await within.send("create", { ...endpoint({ poduid: "u-1" }), metadata: { name: "there" } });
    await within.send("create", coredump("core-1"));
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  /** As one who may do everything, and of whom nothing is remembered. */
  async function asked([method, path, body]: readonly [string, string, object?]) {
    const account = `account-${++users}`;
    const within = cluster.in("coredump-system");
    await within.kubectl("create", "serviceaccount", account);
    await cluster.kubectl(
      "create",
      "clusterrolebinding",
      account,
      "--clusterrole=cluster-admin",
      `--serviceaccount=coredump-system:${account}`,
    );
    const { headers } = credentialsOf(await cluster.serviceAccount("coredump-system", account));
    const type = { ...headers, "content-type": "application/json" };
    const answer = await askStraight(server, path, { headers: type }, method, body && JSON.stringify(body));
    return { status: answer.status, message: (JSON.parse(String(answer.body)) as { message?: string }).message ?? "" };
  }

  test("each is needed by something here", () => {
    const rights = (ROLE["rules"] as { resources: string[]; verbs: string[] }[]).flatMap(({ resources, verbs }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}`)),
    );
    assert.deepEqual(rights.toSorted(), Object.keys(NEEDED_BY).toSorted());
  });

  for (const [right, needing] of Object.entries(NEEDED_BY)) {
    test(`"${right}": with it all is well, without it the answer says that it is missing`, async () => {
      const [verb, resource = ""] = right.split(" ");
      const isWell = async () => assert.notEqual((await asked(needing(paths))).status, 500);
      await isWell();
      const role = structuredClone(ROLE);
      for (const rule of role["rules"] as { resources: string[]; verbs: string[] }[]) {
        if (!rule.resources.includes(resource)) continue;
        if (rule.resources.length > 1) rule.resources = rule.resources.filter((each) => each !== resource);
        else rule.verbs = [...rule.verbs.filter((each) => each !== verb), "watch"]; // a rule without a verb is none
      }
      await cluster.send("apply", role);
      await eventually(async () => {
        const { status, message } = await asked(needing(paths));
        assert.equal(status, 500, message);
        assert.match(message, new RegExp(`cannot ${verb} resource "${resource}".*install/rbac`));
      });
      await cluster.send("apply", ROLE);
      await eventually(isWell);
    });
  }

  test("without the cluster's authorities it is not ready, and believes nobody's headers", async () => {
    const binding = ["rolebinding", "coredump-api", "--namespace=kube-system"];
    const saved = await cluster.get(...binding);
    await cluster.kubectl("delete", ...binding);
    try {
      const itself = await cluster.serviceAccount("coredump-system", "coredump-api");
      await using blind = await ApiServer.unregistered(cluster, itself, { name: "blind" });
      await eventually(async () => {
        const { status, body } = await askStraight(blind, "/readyz");
        assert.equal(status, 503);
        assert.match(String(body), /^the cluster's authorities are not known yet/);
        assert.match(blind.said, /cannot list resource \\?"configmaps/); // strangers are told no reasons
      });
    } finally {
      const { name, namespace } = saved.metadata;
      await cluster.send("create", { ...saved, metadata: { name, namespace } });
    }
  });
});
