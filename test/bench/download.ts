/**
 * A core of a gigabyte through kube-apiserver, our server and S3, against an equal file that Node serves behind the same
 * aggregation layer; and what our server holds with many downloads at once, of cores that do not compress, by slow readers.
 */
import { execFile, spawn } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { API, ApiServer, credentialsOf, makeCertificate, SYSTEM_NAMESPACE } from "../support/apiserver.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { startS3 } from "../support/s3.ts";
import { s3Sink } from "../support/s3-sink.ts";
import { storedDump } from "../support/stored-dump.ts";
import { memoryMiB } from "./idle.ts";
import { type Compared, inTurn } from "./pairs.ts";
import { storeFlags } from "./upload.ts";

const exec = promisify(execFile);
const MIB = 1 << 20;
const GB = 1e9;
const NOISE_BYTES = 200 * MIB;
const AT_ONCE = 20;
const SLOW = "4M";

export interface Downloaded extends Compared {
  /** The peak after the gigabyte was downloaded once. */
  readonly oneRssMiB: number;
  /** The peak of many at once. */
  readonly maxRssMiB: number;
  /** While nothing was downloaded yet. */
  readonly idleRssMiB: number;
}

export async function download(count: number, program: string, folder: string): Promise<Downloaded> {
  await using cluster = await startCluster({ apiserverFlags: ["--request-timeout=10m"] });
  const client = credentialsOf(cluster);
  for (const what of ["cert", "key"] as const) writeFileSync(clientFile(cluster, what), client[what] ?? "");
  await using s3 = await startS3();
  await using under = s3Sink(s3);
  const options = { store: storeFlags(s3, join(folder, "keys")), program, flags: [`--downloads-per-user=${AT_ONCE}`] };
  const namespace = await cluster.namespace();
  const path = (name: string) => `/apis/${API}/namespaces/${namespace}/coredumps/${name}/dump`;

  let compared: Compared;
  let oneRssMiB: number;
  {
    await using server = await ApiServer.start(cluster, options);
    const dump = await storedDump(cluster, namespace, under.sink, { lengthBytes: GB, parts: partsOf(heapLike(), GB) });
    writeFileSync(join(folder, "core"), dump.core);
    await using _file = await staticServer(cluster, join(folder, "core"));
    const seconds = (path: string) => () => fetched(cluster, path, GB);
    const [ours, base] = [seconds(path(dump.name)), seconds("/apis/bench.example.com/v1/core")];
    await ours();
    oneRssMiB = memoryMiB(server.pid, "VmHWM");
    await base();
    compared = await inTurn(count, ours, base);
  }
  await using server = await ApiServer.start(cluster, options);
  const noise = randomFillSync(Buffer.allocUnsafe(4 * MIB));
  const dump = await storedDump(cluster, namespace, under.sink, {
    lengthBytes: NOISE_BYTES,
    parts: partsOf(noise, NOISE_BYTES),
  });
  const idleRssMiB = memoryMiB(server.pid, "VmRSS");
  const slow = Array.from({ length: AT_ONCE / 2 }, () => curl(cluster, path(dump.name), ["--limit-rate", SLOW]));
  const fast = Array.from({ length: AT_ONCE / 2 }, () => curl(cluster, path(dump.name), []));
  await Promise.all([...slow, ...fast]);
  return { ...compared, oneRssMiB, maxRssMiB: memoryMiB(server.pid, "VmHWM"), idleRssMiB };
}

/** The same four megabytes over and over: frames are compressed one by one, so nothing is gained by that. */
function partsOf(block: Buffer, lengthBytes: number) {
  return Array.from({ length: Math.ceil(lengthBytes / block.length) }, (_, at) => {
    const atBytes = at * block.length;
    return { atBytes, bytes: block.subarray(0, lengthBytes - atBytes) };
  });
}

/** Of four megabytes one is zero, one is noise, two are small objects full of pointers. */
function heapLike(): Buffer {
  const block = Buffer.alloc(4 * MIB);
  randomFillSync(block, MIB, MIB);
  for (let word = 2 * MIB; word < block.length; word += 32) {
    block.writeBigUInt64LE(0x7f0000000000n + BigInt((word * 2_654_435_761) % 2 ** 30), word);
    block.writeUInt32LE(word >>> 3, word + 16);
  }
  return block;
}

async function staticServer(cluster: Cluster, file: string): Promise<AsyncDisposable> {
  const files = { cert: join(cluster.folder, "static.crt"), key: join(cluster.folder, "static.key") };
  await makeCertificate(cluster, files);
  const script = join(import.meta.dirname, "static-server.ts");
  const child = spawn(process.execPath, [script, files.cert, files.key, cluster.address, file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const stop = async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  };
  try {
    const [said] = (await once(child.stdout, "data")) as [Buffer];
    await behindAggregation(cluster, Number(said.toString()));
  } catch (error) {
    await stop();
    throw error;
  }
  return { [Symbol.asyncDispose]: stop };
}

async function behindAggregation(cluster: Cluster, port: number): Promise<void> {
  const metadata = { name: "static", namespace: SYSTEM_NAMESPACE };
  const ports = [{ name: "https", port: 443, targetPort: port, protocol: "TCP" }];
  await cluster.send("apply", { apiVersion: "v1", kind: "Service", metadata, spec: { ports } });
  await cluster.send("apply", {
    ...{ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", addressType: "IPv4" },
    metadata: { ...metadata, labels: { "kubernetes.io/service-name": "static" } },
    ports: [{ name: "https", port, protocol: "TCP" }],
    endpoints: [{ addresses: [cluster.address], conditions: { ready: true } }],
  });
  await cluster.send("apply", {
    ...{ apiVersion: "apiregistration.k8s.io/v1", kind: "APIService", metadata: { name: "v1.bench.example.com" } },
    spec: {
      ...{ group: "bench.example.com", version: "v1", groupPriorityMinimum: 1000, versionPriority: 10 },
      ...{ service: { name: "static", namespace: SYSTEM_NAMESPACE }, insecureSkipTLSVerify: true },
    },
  });
  await cluster.kubectl("wait", "--for=condition=Available", "apiservice/v1.bench.example.com", "--timeout=60s");
  await eventually(() => cluster.kubectl("get", "--raw", "/apis/bench.example.com/v1"));
}

/** @returns seconds */
async function fetched(cluster: Cluster, path: string, wantedBytes: number): Promise<number> {
  const start = performance.now();
  const bytes = await curl(cluster, path, []);
  if (bytes !== wantedBytes) throw new Error(`Cannot measure: ${bytes} bytes of ${path} came`);
  return (performance.now() - start) / 1000;
}

/** By a client that costs little; its certificate is in the cluster's folder. @returns bytes */
async function curl(cluster: Cluster, path: string, more: readonly string[]): Promise<number> {
  const { stdout } = await exec("curl", [
    ...["--silent", "--fail", "--http1.1", "--max-time", "300", ...more],
    ...[
      "--cacert",
      join(cluster.folder, "pki/ca.crt"),
      "--cert",
      clientFile(cluster, "cert"),
      "--key",
      clientFile(cluster, "key"),
    ],
    ...["--output", "/dev/null", "--write-out", "%{size_download}", `https://${cluster.address}:6443${path}`],
  ]);
  return Number(stdout);
}

const clientFile = ({ folder }: Cluster, what: "cert" | "key"): string => join(folder, `curl.${what}`);
