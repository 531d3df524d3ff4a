/** The released executable as an agent, with an S3 store: a dump that waits on the node, and one of 20 GiB. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Part } from "../../store/upload/dumps.ts";
import { Agent } from "../../support/agents.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import type { Resource } from "../../support/kubectl.ts";
import { type S3, startS3 } from "../../support/s3.ts";
import { keysIn } from "../../support/s3-sink.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";
import { waitingDump } from "../../support/waiting-dump.ts";

const skip = needs("root", "cluster", "binary");
const MIB = 1 << 20;
const MAX_RSS_KIB = 128 * 1024;

let shared: Promise<readonly [Cluster, S3]> | undefined;
async function place(): Promise<readonly [Cluster, S3]> {
  shared ??= Promise.all([startCluster(), startS3()]).then(async ([cluster, s3]) => {
    await applyCrds(cluster);
    return [cluster, s3] as const;
  });
  return await shared;
}
after(async () => {
  for (const each of (await shared) ?? []) await each[Symbol.asyncDispose]();
});

/** @returns its Coredump once it is Saved, and the most memory that the agent took, in KiB */
async function saved(coreBytes: number, parts: readonly Part[]): Promise<{ coredump: Resource; maxRssKib: number }> {
  const [cluster, s3] = await place();
  using dir = tempDir();
  const namespace = await cluster.namespace();
  const dumpDir = join(dir.path, "cache");
  waitingDump(dumpDir, namespace, { coreBytes, parts, storedBytes: 0 });
  const agentKeys = await s3.user(
    `agent-${coreBytes}`,
    "s3:PutObject",
    "s3:ListMultipartUploadParts",
    "s3:AbortMultipartUpload",
  );
  await using agent = await Agent.startReleased(
    ...["-c", cluster.kubeconfig, "-d", dumpDir, "--node-name=node-1", "--admission=all"],
    `--store=s3://${s3.bucket}/prod`,
    `--s3-endpoint=${s3.endpoint}`,
    `--s3-credentials-dir=${keysIn(dir.path, agentKeys)}`,
  );
  const coredump = await eventually(async () => {
    const [found]: Resource[] = (await cluster.in(namespace).get("coredumps"))["items"];
    assert.equal(found?.["status"]?.state, "Saved", `${JSON.stringify(found?.["status"])}\n${agent.said}`);
    return found as Resource;
  });
  const status = readFileSync(`/proc/${agent.pid}/status`, "utf8");
  await agent.end();
  return { coredump, maxRssKib: Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) };
}

test("the executable's agent puts a waiting dump into S3, with write-only keys", { skip }, async () => {
  const bytes = randomBytes(12 * MIB);
  const { coredump } = await saved(bytes.length, [{ atBytes: 0, bytes }]);
  const [, s3] = await place();
  assert.equal(coredump["spec"].volume, `s3://${s3.bucket}/prod`);
  const bundle = join(s3.folder, "data", s3.bucket, "prod", coredump["status"].key);
  const core = execFileSync("tar", ["--zstd", "-xOf", bundle, "core"], { maxBuffer: 2 * bytes.length });
  assert.ok(core.equals(bytes));
});

test("the executable's agent takes little memory for a sparse core of 20 GiB", { skip }, async () => {
  const noise = randomBytes(20 * MIB); // does not compress: the most work for the buffers on the way
  const { maxRssKib } = await saved(20 * 1024 * MIB, [{ atBytes: 7 * 1024 * MIB, bytes: noise }]);
  assert.ok(maxRssKib <= MAX_RSS_KIB, `${maxRssKib} KiB`);
});
