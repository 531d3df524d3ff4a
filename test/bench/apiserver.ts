/**
 * The aggregated API with 10,000 endpoints, over SQLite and over etcd: bin/build; bin/node test/bench/apiserver.ts [--check].
 *   list   all of them through kube-apiserver, against as many custom resources of the same shape that it keeps itself
 *   watch  from a write to the last of 200 watchers, through kube-apiserver
 * Bars: issue "Tenants get their cores through the Kubernetes API, and only theirs; old ones go away".
 */
import { readFileSync } from "node:fs";
import { Agent, type RequestOptions, request } from "node:https";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { API, ApiServer, credentialsOf, STORAGES } from "../support/apiserver.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { BINARY } from "../support/paths.ts";

const OBJECTS = 10_000;
const WATCHERS = 200;
const PAIRS = 7;
const EVENTS = 5;
const LIST_BAR = 2;
const WATCH_BAR_MS = 1000;
const MAX_RSS_MIB = 300;
const OURS = `/apis/${API}/namespaces/bench/coredumpendpoints`;
const BASE = "/apis/bench.example.com/v1/namespaces/bench/likes";

class Client {
  readonly #options: RequestOptions;

  constructor(cluster: Cluster) {
    const { cert, key } = credentialsOf(cluster);
    const ca = readFileSync(join(cluster.folder, "pki/ca.crt"));
    const agent = new Agent({ keepAlive: true });
    this.#options = { host: cluster.address, port: 6443, cert, key, ca, agent };
  }

  async send(method: string, path: string, body?: object): Promise<number> {
    let bytes = 0;
    for await (const chunk of await this.open(method, path, body)) bytes += (chunk as Buffer).length;
    return bytes;
  }

  open(method: string, path: string, body?: object) {
    const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const sent = request({ ...this.#options, method, path, headers: { "content-type": type } });
    sent.end(body && JSON.stringify(body));
    return new Promise<NodeJS.ReadableStream>((resolve, reject) => {
      sent.on("error", reject).on("response", (answer) => {
        if ((answer.statusCode ?? 500) < 300) resolve(answer);
        else reject(new Error(`${method} ${path}: ${answer.statusCode}`));
      });
    });
  }
}

async function main(check: boolean): Promise<void> {
  await using cluster = await startCluster();
  const client = new Client(cluster);
  await cluster.kubectl("create", "namespace", "bench");
  await cluster.send("create", customResource());
  await cluster.kubectl("wait", "--for=condition=Established", "crd/likes.bench.example.com", "--timeout=30s");
  await fill(client, BASE, "bench.example.com/v1", "Like");
  for (const storage of STORAGES) {
    await using server = await ApiServer.start(cluster, { program: BINARY, name: storage, storage });
    await fill(client, OURS, API, "CoredumpEndpoint");
    const list = await lists(client);
    const lastMs = await watches(client);
    const rssMiB = Math.round(
      Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))?.[1]) / 1024,
    );
    const met = list.ratio <= LIST_BAR && lastMs <= WATCH_BAR_MS && rssMiB <= MAX_RSS_MIB;
    console.log(
      JSON.stringify({
        case: `apiserver, ${storage}`,
        baseline: "custom resources",
        pairs: PAIRS,
        ...list,
        bar: LIST_BAR,
        met,
        extra: { lastWatcherMs: lastMs, rssMiB },
      }),
    );
    if (check && !met) process.exitCode = 1;
  }
}

async function lists(client: Client) {
  const [ours, base]: [number[], number[]] = [[], []];
  for (let pair = -1; pair < PAIRS; pair++) {
    const [baseS, oursS] = [await timed(() => client.send("GET", BASE)), await timed(() => client.send("GET", OURS))];
    if (pair < 0) continue; // the first of each warms up
    base.push(baseS);
    ours.push(oursS);
  }
  const ratio = Number((median(ours) / median(base)).toFixed(2));
  return { ours: { medianS: median(ours) }, base: { medianS: median(base) }, ratio };
}

/** @returns the slowest of several events, in milliseconds */
async function watches(client: Client): Promise<number> {
  const query = "watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan";
  const streams = await Promise.all(Array.from({ length: WATCHERS }, () => client.open("GET", `${OURS}?${query}`)));
  const told = streams.map(() => 0);
  let look: () => void = () => undefined;
  for (const [index, stream] of streams.entries())
    stream
      .on("error", () => undefined)
      .on("data", (chunk) => {
        told[index] = (told[index] ?? 0) + String(chunk).split("\n").length - 1;
        look();
      });
  let slowestMs = 0;
  for (let event = 1; event <= EVENTS; event++) {
    const all = Promise.withResolvers<void>();
    look = () => told.every((lines) => lines >= event) && all.resolve();
    const startMs = performance.now();
    await client.send("PATCH", `${OURS}/object-00000`, { metadata: { labels: { event: String(event) } } });
    await all.promise;
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
  }
  for (const stream of streams) (stream as unknown as { destroy(): void }).destroy();
  return Math.round(slowestMs);
}

async function fill(client: Client, path: string, apiVersion: string, kind: string): Promise<void> {
  const indices = Array.from({ length: OBJECTS }, (_, index) => index).values();
  const worker = async () => {
    for (const index of indices) {
      const name = `object-${String(index).padStart(5, "0")}`;
      const labels = { "app.kubernetes.io/name": "web", "app.kubernetes.io/instance": `web-${index % 100}` };
      const spec = { podname: `web-${index}`, poduid: `6f1d6a2e-3c1b-4a5e-9a59-${String(index).padStart(12, "0")}` };
      await client.send("POST", path, { apiVersion, kind, metadata: { name, labels }, spec });
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

function customResource(): object {
  const text = { type: "string" };
  const spec = { type: "object", properties: { podname: text, poduid: text } };
  const openAPIV3Schema = { type: "object", properties: { spec } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "likes.bench.example.com" },
    spec: {
      ...{ group: "bench.example.com", scope: "Namespaced", names: { kind: "Like", plural: "likes" } },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) / 1000;
}

const median = (values: readonly number[]): number =>
  Number((values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0).toFixed(3));

await main(process.argv.includes("--check"));
