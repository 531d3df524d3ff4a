/** A crash in a pod, and its whole way: object, decision, bundle, event, and a cache that holds nothing any more. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { openCache } from "../../../src/cache/cache.ts";
import type { DumpRecord } from "../../../src/domain/dump.ts";
import { type Agent, startAgent } from "../../support/agents.ts";
import { KERNEL_ARGUMENTS } from "../../support/captured.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import type { Resource } from "../../support/kubectl.ts";
import { BINARY } from "../../support/paths.ts";
import { withPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";
import { type TempDir, tempDir } from "../../support/tmp.ts";

const skip = needs("root", "cluster", "binary");
const IMAGE = "localhost/testbed:1";

interface Place extends Disposable {
  readonly cluster: Cluster;
  readonly folder: TempDir;
  readonly dumpDir: string;
  readonly store: string;
  agent(...flags: readonly string[]): Agent;
  /** Records of the node's cache. */
  records(): readonly DumpRecord[];
  /** Crashes a pod of that name under our handler, and waits until it has ended. */
  crash(namespace: string, name: string, labels?: Record<string, string>): Promise<Resource>;
  coredump(namespace: string, is: (coredump: Resource) => boolean): Promise<Resource>;
  log(): string;
}

let shared: Promise<Cluster> | undefined;
async function theCluster(): Promise<Cluster> {
  shared ??= startCluster({ node: true }).then(async (cluster) => {
    await applyCrds(cluster);
    return cluster;
  });
  return await shared;
}
after(async () => await (await shared)?.[Symbol.asyncDispose]());

async function place(): Promise<Place> {
  const cluster = await theCluster();
  const folder = tempDir();
  const [dumpDir, store, log] = ["cache", "store", "agent.log"].map((name) => join(folder.path, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(store);
  const endpoint = `--cri-endpoint=${join(cluster.nodeFolder(), "run/containerd.sock")}`;
  const handler = `|${BINARY} -d=${dumpDir}`;
  return {
    ...{ cluster, folder, dumpDir, store },
    agent: (...flags) =>
      startAgent(log, [
        `-c=${cluster.kubeconfig}`,
        `-d=${dumpDir}`,
        "--node-name=node-1",
        endpoint,
        `--store=${store}`,
        ...flags,
      ]),
    records: () => openCache(dumpDir, { create: true }).records(),
    crash: async (namespace, name, labels = {}) => {
      const spec = { restartPolicy: "Never", containers: [{ name: "app", image: IMAGE, command: ["/bin/crash"] }] };
      const pod = { apiVersion: "v1", kind: "Pod", metadata: { name, labels }, spec };
      return await withPattern(`${handler} ${KERNEL_ARGUMENTS}`, async () => {
        await cluster.in(namespace).send("create", pod);
        const { pod: ended, exitCode } = await cluster.ended(namespace, name);
        assert.equal(exitCode, 139);
        return ended;
      });
    },
    coredump: (namespace, is) =>
      eventually(async () => {
        const found: Resource | undefined = (await cluster.in(namespace).get("coredumps"))["items"].find(is);
        assert.ok(
          found,
          `${readFileSync(log, "utf8")}\n${await cluster.in(namespace).kubectl("get", "coredumps", "-o", "yaml")}`,
        );
        return found;
      }),
    log: () => (existsSync(log) ? readFileSync(log, "utf8") : ""),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

test("agent: a crash becomes an object, a bundle, an event, and leaves the node", { skip }, async () => {
  using at = await place();
  await using agent = at.agent("--admission=all");
  const namespace = await at.cluster.namespace();
  const pod = await at.crash(namespace, "web-0");
  const coredump = await at.coredump(namespace, ({ status }) => status?.state === "Saved");
  assert.match(coredump.metadata["name"], /^web-0-crash-[0-9a-f]{12}$/);
  assert.equal(coredump["spec"].uid, pod.metadata["uid"]);
  assert.equal(coredump["spec"].volume, at.store);
  assert.equal(coredump["status"].complete, true);
  const conditions = coredump["status"].conditions.map(({ type, status }: Resource) => [type, status]);
  assert.deepEqual(
    conditions,
    ["Captured", "Identified", "Stored", "Complete"].map((type) => [type, "True"]),
  );

  const bundle = join(at.store, coredump["status"].key);
  const names = execFileSync("tar", ["--zstd", "-tf", bundle], { encoding: "utf8" }).trim().split("\n");
  for (const name of ["info.json", "pod.json", "container.json", "core"]) assert.ok(names.includes(name), name);
  const sum = execFileSync("sh", ["-c", `tar --zstd -xOf ${bundle} core | sha256sum`], { encoding: "utf8" });
  assert.equal(`sha256:${sum.slice(0, 64)}`, coredump["status"].checksum);

  const [record] = at.records();
  assert.equal(record?.state, "Saved");
  assert.ok(!existsSync(join(at.dumpDir, record?.id ?? "", "core")));
  const events = (await at.cluster.in(namespace).get("events", "--field-selector=reason=CoreDumped"))["items"];
  assert.deepEqual(
    events.map(({ involvedObject }: Resource) => involvedObject["uid"]),
    [pod.metadata["uid"]],
  );
  assert.match(
    events[0].message,
    /^crash \(container app\) was killed by SIG\w+.*complete\. See: kubectl coredump info web-0-crash-/,
  );
  assert.equal(await agent.stop(), 0);
});
