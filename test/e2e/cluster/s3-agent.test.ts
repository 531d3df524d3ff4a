/** The released executable as an agent, with an S3 store: a dump that waits on the node, and one of 20 GiB. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { writeRecord } from "../../../src/cache/record.ts";
import { Spool } from "../../../src/cache/spool.ts";
import { newDumpId } from "../../../src/domain/id.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { applyCrds } from "../../support/coredump-resources.ts";
import { eventually } from "../../support/eventually.ts";
import type { Resource } from "../../support/kubectl.ts";
import { BINARY } from "../../support/paths.ts";
import { type S3, startS3 } from "../../support/s3.ts";
import { keysIn } from "../../support/s3-sink.ts";
import { needs } from "../../support/set-up.ts";
import { tempDir } from "../../support/tmp.ts";
import { type Part, testDump } from "../../upload/dumps.ts";

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

/** A dump in the cache, as a handler leaves it that could register nothing. */
function captured(dumpDir: string, namespace: string, coreBytes: number, parts: readonly Part[]): void {
  const container = {
    runtime: "containerd",
    id: "c".repeat(64),
    name: "app",
    image: null,
    imageDigest: null,
    attempt: 0,
  };
  using dump = testDump(coreBytes, parts, { id: newDumpId(Date.now()), state: "Captured", container });
  const entry = Spool.open(dumpDir, true).entry(dump.record.id);
  mkdirSync(entry.dir, { mode: 0o700 });
  execFileSync("cp", ["--sparse=always", dump.core, entry.core]);
  copyFileSync(dump.path("pod.json"), entry.path("pod.json"));
  const dumptime = new Date(Date.now() + 2000).toISOString(); // behind the namespace's creation, which has whole seconds
  const identity = { source: "cri", confirmed: true, problem: null, cgroup: null } as const;
  const pod = { namespace, name: "web-0", uid: "5d0c8a3e-3c1c-4f0b-9b7f-0d8f5d0c8a3e" };
  const core = {
    ...dump.record.core,
    path: entry.core,
    sizeBytes: coreBytes,
    storedBytes: 0,
    expectedBytes: coreBytes,
    complete: true,
  };
  writeRecord(entry, { ...dump.record, dumptime, pod, identity, core });
}

/** @returns its Coredump once it is Saved, and the most memory that the agent took, in KiB */
async function saved(coreBytes: number, parts: readonly Part[]): Promise<{ coredump: Resource; maxRssKib: number }> {
  const [cluster, s3] = await place();
  using dir = tempDir();
  const namespace = await cluster.namespace();
  const [dumpDir, log] = [join(dir.path, "cache"), join(dir.path, "log")];
  captured(dumpDir, namespace, coreBytes, parts);
  const agentKeys = await s3.user(
    `agent-${coreBytes}`,
    "s3:PutObject",
    "s3:ListMultipartUploadParts",
    "s3:AbortMultipartUpload",
  );
  const node = ["-c", cluster.kubeconfig, "-d", dumpDir, "--node-name=node-1", "--admission=all", "--metrics-port=0"];
  const store = [
    `--store=s3://${s3.bucket}/prod`,
    `--s3-endpoint=${s3.endpoint}`,
    `--s3-credentials-dir=${keysIn(dir.path, agentKeys)}`,
  ];
  const out = openSync(log, "a");
  const agent = spawn(BINARY, ["agent", ...node, ...store], { stdio: ["ignore", out, out] });
  const ended = once(agent, "exit");
  try {
    const coredump = await eventually(async () => {
      const [found]: Resource[] = (await cluster.in(namespace).get("coredumps"))["items"];
      assert.equal(
        found?.["status"]?.state,
        "Saved",
        `${JSON.stringify(found?.["status"])}\n${readFileSync(log, "utf8")}`,
      );
      return found as Resource;
    });
    const status = readFileSync(`/proc/${agent.pid}/status`, "utf8");
    return { coredump, maxRssKib: Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) };
  } finally {
    agent.kill("SIGTERM");
    await ended;
  }
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
