/** The agent with the rights of install/rbac and under the policy of install/admission: enough, and none too many. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { tellAgent } from "../../../src/cluster/steps/socket.ts";
import { AgentNode } from "../../support/agent-node.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds, applyPolicy, letAgentsDecide } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import type { Resource, User } from "../../support/kubectl.ts";
import { ROOT } from "../../support/paths.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "cluster", "binary");
const SYSTEM = "coredump-system";

interface Rule {
  readonly apiGroups: string[];
  readonly resources: string[];
  readonly resourceNames?: string[];
  readonly verbs: string[];
}

const OBJECTS: readonly Resource[] = skip
  ? []
  : parseAllDocuments(readFileSync(join(ROOT, "install/rbac/agent.yaml"), "utf8")).map((document) => document.toJS());
const ROLES = OBJECTS.filter(({ kind }) => ["Role", "ClusterRole"].includes(kind));

/** `create coredumps`, … : all that the roles grant. */
const RIGHTS = ROLES.flatMap(({ rules }) =>
  (rules as Rule[]).flatMap(({ resources, verbs }) => verbs.map((verb) => `${verb} ${resources[0]}`)),
);

/** Asked for at the Lease's next renewals, ten seconds each: here they are there from the start. */
const LATER = ["create leases", "update leases", "get daemonsets"];

/** The role with no other rights than these. */
function reduced(role: Resource, granted: ReadonlySet<string>): Resource {
  const rules = (role["rules"] as Rule[]).flatMap((rule) => {
    const verbs = rule.verbs.filter((verb) => granted.has(`${verb} ${rule.resources[0]}`));
    return verbs.length > 0 ? [{ ...rule, verbs }] : [];
  });
  return { ...role, rules };
}

describe("the agent's rights", { skip }, () => {
  let cluster: Cluster;
  let itself: User;

  before(async () => {
    cluster = await startCluster();
    await applyCrds(cluster);
    await cluster.kubectl("create", "clusterrolebinding", "probe", "--clusterrole=cluster-admin", "--user=probe");
    await applyPolicy(cluster, await cluster.user("probe"), await cluster.namespace());
    for (const object of OBJECTS) await cluster.send("apply", object);
    for (const name of ["node-1", "node-2"])
      await cluster.send("create", { apiVersion: "v1", kind: "Node", metadata: { name } });
    itself = await cluster.serviceAccount(SYSTEM, "coredump-agent", "node-1");
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  const agentsDecide = (yes: boolean): Promise<void> => letAgentsDecide(cluster, yes);

  const grant = async (rights: ReadonlySet<string>): Promise<void> => {
    for (const role of ROLES) await cluster.send("apply", reduced(role, rights));
  };

  test("missing ones are named one after the other, nothing is lost, and with the last of them all is done", async () => {
    await agentsDecide(true);
    using node = new AgentNode(itself.kubeconfig);
    const namespace = await cluster.namespace();
    const granted = new Set(LATER);
    await grant(granted);
    const first = node.crash(namespace);
    await using agent = await node.agent("--admission=all");
    await eventually(async () => assert.equal((await agent.ask("/readyz")).status, 503));
    for (let isWell = false; !isWell; ) {
      const missing = await eventually(async () => {
        const { status, text } = await agent.ask("/readyz");
        isWell = status === 200 && granted.size === RIGHTS.length;
        const named = [...text.matchAll(/cannot (\w+) resource "([\w/]+)"/g)].map(
          ([, verb, what]) => `${verb} ${what}`,
        );
        const news = named.filter((right) => !granted.has(right));
        assert.ok(isWell || news.length > 0, `${[...granted]}: ${status} ${text} ${agent.said}`);
        return news;
      });
      for (const right of missing) {
        assert.ok(RIGHTS.includes(right), `install/rbac does not grant "${right}"`);
        const told = agent.log.find(({ msg }) => msg.includes(`cannot ${right.replace(" ", ' resource "')}"`));
        assert.match(told?.hint ?? "", /install\/rbac/);
      }
      for (const dump of node.records) assert.ok(node.holds(dump) || node.record(dump.id)?.state === "Saved");
      for (const right of missing) granted.add(right);
      if (missing.length > 0) await grant(granted);
      for (const { id } of node.records) await tellAgent(node.dumpDir, id); // as its handler would: it is tried at once
      // An event that could not be written is not written later: the next one shows that it can be by now.
      if (missing.includes("create events")) node.crash(namespace);
    }
    await eventually(() => {
      const states = node.records.map(({ state }) => state);
      assert.deepEqual(states, ["Saved", "Saved"], agent.said);
      assert.ok(!node.holds(first));
    });
    assert.equal(await agent.end(), 0);
  });

  test("with another node's token it writes nothing, keeps all, and says why; with its own it goes on", async () => {
    await agentsDecide(false);
    await grant(new Set(RIGHTS));
    const stolen = await cluster.serviceAccount(SYSTEM, "coredump-agent", "node-2");
    const kubeconfig = join(cluster.folder, "users", "agent.kubeconfig");
    writeFileSync(kubeconfig, readFileSync(stolen.kubeconfig), { mode: 0o600 });
    using node = new AgentNode(kubeconfig);
    const namespace = await cluster.namespace();
    const dump = node.crash(namespace);
    {
      await using thief = await node.agent();
      await eventually(async () =>
        assert.match(
          (await thief.ask("/readyz")).text,
          /the agent of node node-2 may not write a dump of node "node-1"/,
          thief.said,
        ),
      );
      assert.deepEqual((await cluster.in(namespace).get("coredumps"))["items"], []);
      assert.ok(node.holds(dump));
    }
    writeFileSync(kubeconfig, readFileSync(itself.kubeconfig));
    await using _agent = await node.agent();
    await eventually(() => assert.equal(node.record(dump.id)?.state, "Created"));
  });

  test("it does not decide where there is a controller, whatever it was told, and keeps what it has", async () => {
    await agentsDecide(false);
    await grant(new Set(RIGHTS));
    using node = new AgentNode(itself.kubeconfig);
    const dump = node.crash(await cluster.namespace());
    await using agent = await node.agent("--admission=all");
    await eventually(async () =>
      assert.match((await agent.ask("/readyz")).text, /an agent does not decide about the quota/),
    );
    assert.ok(node.holds(dump));
  });

  test("credentials that are not known are read anew, and it goes on with those that are", async () => {
    await grant(new Set(RIGHTS));
    const known = readFileSync(itself.kubeconfig, "utf8");
    const view = JSON.parse(known);
    view.users[0].user.token = "stale";
    const kubeconfig = join(cluster.folder, "users", "agent.kubeconfig");
    writeFileSync(kubeconfig, JSON.stringify(view), { mode: 0o600 });
    using node = new AgentNode(kubeconfig);
    const dump = node.crash(await cluster.namespace());
    await using agent = await node.agent();
    await eventually(() => assert.match(agent.said, /"API_DENIED".*the credentials are unknown to the API server/));
    assert.ok(node.holds(dump));
    writeFileSync(kubeconfig, known);
    await eventually(() => assert.equal(node.record(dump.id)?.state, "Created", agent.said));
    await eventually(async () => assert.equal((await agent.ask("/readyz")).status, 200));
  });
});
