/** An agent that installs the handler itself, as in a pod, until its node is retired. The host's root is mounted at `/` here. */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { openCache } from "../../../src/node/cache/cache.ts";
import { programOf, readPattern, readSetting, writeSetting } from "../../../src/node/kernel/core-pattern.ts";
import { Agent } from "../../support/agents.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { Controller } from "../../support/controller.ts";
import { eventually } from "../../support/eventually.ts";
import { BINARY } from "../../support/paths.ts";
import { holdPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";

const skip = needs("root", "cluster", "binary");
const exec = promisify(execFile);
const THEIRS = "|/bin/false %P";
const SYSTEM = "coredump-system";

describe("an agent that installs", { skip }, () => {
  let cluster: Cluster;
  let binDir: string;
  const cores = tempDir();
  const run = async (...args: string[]) => (await exec(BINARY, [...args, "--kubeconfig", cluster.kubeconfig])).stdout;
  const startAgent = () =>
    Agent.startReleased(
      ...["--kubeconfig", cluster.kubeconfig, "--node-name=node-1", `--dump-dir=${cores.path}`],
      ...[`--bin-dir=${binDir}`, "--host-root=/", "--on-conflict=retake", "--host=keep"],
    );
  const handler = () => join(binDir, "coredump-detector");
  const isOurs = (agent: Agent) =>
    eventually(async () => assert.equal(programOf(readPattern()), handler(), agent.said));
  const label = async () => (await cluster.get("node", "node-1")).metadata["labels"]?.["coredump"];

  before(async () => {
    cluster = await startCluster({ node: true });
    binDir = mkdtempSync("/opt/cd-"); // /tmp is a place that others can write in
    await cluster.kubectl("create", "namespace", SYSTEM);
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
    rmSync(binDir, { recursive: true, force: true });
    cores[Symbol.dispose]();
  });

  test("crds puts the custom resource definitions there, and again", async () => {
    for (const _ of [1, 2])
      assert.match(await run("crds"), /^coredumps\.\S+ is there\ncoredumpquotas\.\S+ is there\n$/);
    assert.equal(await cluster.kubectl("get", "coredumps", "--all-namespaces", "--output=name"), "");
  });

  test("keeps the pattern, without it crashes are captured, and retire gives the node back", async () => {
    await using _pattern = await holdPattern("core", { limit: 0, suidDumpable: 0 });
    await using _controller = await Controller.start(cluster.kubeconfig, "--namespace", SYSTEM);
    {
      await using agent = await startAgent();
      await isOurs(agent);
      await eventually(async () => assert.equal(await label(), "true"));
      writeSetting("pattern", THEIRS);
      await isOurs(agent);
      assert.equal(await agent.metric("coredump_agent_pattern_conflicts_total"), 1);
      await eventually(async () => {
        const events = await cluster.in("default").kubectl("get", "events", "--field-selector=reason=CorePatternTaken");
        assert.match(events, /node\/node-1 .*\/bin\/false/);
      });
    }
    assert.equal(programOf(readPattern()), handler(), "an agent's end changes nothing");
    assert.equal(spawnSync("sh", ["-c", "kill -SEGV $$"]).signal, "SIGSEGV");
    await eventually(async () => assert.equal(openCache(cores.path).records()[0]?.state, "Captured"));

    await using _agent = await startAgent();
    await eventually(async () => assert.equal(await label(), "true"));
    await cluster.in(SYSTEM).send("create", deadAgent("node-2"));
    const said = await run("retire", "--wait=0s");
    // More than the one of this test where others crash on this machine meanwhile.
    assert.match(
      said,
      /^node-1: core_pattern restored to core; dumps: \d+ dumps? not stored anywhere else stays? in \S+$/m,
    );
    assert.match(
      said,
      /^node-2: not reached \(its agent was last seen never\); there, run: coredump-detector uninstall$/m,
    );
    assert.deepEqual([readPattern(), readSetting("pipeLimit"), readSetting("suidDumpable")], ["core", "0", "0"]);
    assert.equal(existsSync(binDir), false);
    assert.equal(await label(), undefined);
    assert.doesNotMatch(await cluster.in(SYSTEM).kubectl("get", "leases", "--output=name"), /coredump-node-/);
  });

  test("retire says so when no node has an agent", async () => {
    assert.equal(await run("retire", "--wait=0s"), "no node has an agent\n");
  });
});

const deadAgent = (node: string) => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name: `coredump-node-${node}`, namespace: SYSTEM },
  spec: { holderIdentity: node, leaseDurationSeconds: 40 },
});
