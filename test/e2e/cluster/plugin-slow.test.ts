/** Downloads on bad links: slower than kube-apiserver's time for a request, and while it is restarted. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { Transform } from "node:stream";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { plugin } from "../../cli/kubectl/run.ts";
import { Agent } from "../../support/agents.ts";
import { ApiServer } from "../../support/apiserver.ts";
import { type Cluster, startCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import type { Resource } from "../../support/kubectl.ts";
import { needs } from "../../support/set-up.ts";
import { type TempDir, tempDir } from "../../support/tmp.ts";
import { waitingDump } from "../../support/waiting-dump.ts";

const skip = needs("root", "cluster");
const MIB = 1 << 20;
const CORE_BYTES = 20 * MIB;
const REQUEST_S = 4;

/** A link to the cluster's API server that carries so many bytes a second, whatever runs over it. */
class Link implements AsyncDisposable {
  bytesPerS = Number.POSITIVE_INFINITY;
  carriedBytes = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #freeAtMs = 0;

  private constructor(server: Server, address: string) {
    this.#server = server;
    server.on("connection", (client) => {
      const api = connect(6443, address);
      for (const socket of [client, api]) {
        this.#sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => [client, api].map((each) => each.destroy()));
      }
      client.pipe(api);
      api.pipe(this.#slowly()).pipe(client);
    });
  }

  static async to(address: string): Promise<Link> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Link(server, address);
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #slowly(): Transform {
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.carriedBytes += chunk.length;
        const nowMs = performance.now();
        this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + (chunk.length / this.bytesPerS) * 1000;
        sleep(this.#freeAtMs - nowMs).then(() => done(null, chunk));
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

describe("kubectl coredump dump", { skip }, () => {
  let cluster: Cluster;
  let folder: TempDir;
  let server: ApiServer;
  let link: Link;
  let namespace: string;
  let name: string;
  let sha256: string;

  before(async () => {
    cluster = await startCluster({ apiserverFlags: [`--request-timeout=${REQUEST_S}s`] });
    folder = tempDir();
    const [dumpDir, store] = [join(folder.path, "cache"), join(folder.path, "store")];
    mkdirSync(store);
    server = await ApiServer.start(cluster, { store: ["--store", store] });
    namespace = await cluster.namespace();
    const bytes = randomBytes(CORE_BYTES);
    sha256 = createHash("sha256").update(bytes).digest("hex");
    waitingDump(dumpDir, namespace, { coreBytes: CORE_BYTES, parts: [{ atBytes: 0, bytes }] });
    const where = [`-c=${cluster.kubeconfig}`, `-d=${dumpDir}`, "--node-name=node-1"];
    await using agent = await Agent.start(...where, "--admission=all", `--store=${store}`);
    name = await eventually(async () => {
      const [found]: Resource[] = (await cluster.in(namespace).get("coredumps"))["items"];
      assert.equal(found?.["status"]?.state, "Saved", agent.said);
      return found?.metadata["name"];
    });
    link = await Link.to(cluster.address);
  });
  after(async () => {
    await link?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    folder?.[Symbol.dispose]();
  });

  async function dumped(file: string) {
    const path = join(folder.path, file);
    const where = ["-n", namespace, "--kubeconfig", cluster.kubeconfig, "-s", link.url, "--insecure-skip-tls-verify"];
    const { code, stderr } = await plugin(["dump", name, path, ...where]);
    assert.equal(code, 0, stderr);
    assert.equal(createHash("sha256").update(readFileSync(path)).digest("hex"), sha256);
  }

  test("takes several times as long as a request may, and what came is not sent again", async () => {
    link.bytesPerS = CORE_BYTES / (5 * REQUEST_S);
    const before = link.carriedBytes;
    await dumped("slow.core");
    assert.ok(link.carriedBytes - before < 2 * CORE_BYTES, `${link.carriedBytes - before}`);
  });

  test("goes on when the API server comes back", async () => {
    link.bytesPerS = CORE_BYTES / 8;
    const began = link.carriedBytes;
    const restarted = (async () => {
      await eventually(() => assert.ok(link.carriedBytes - began > CORE_BYTES / 4));
      await cluster.down("apiserver");
      await cluster.up("apiserver");
    })();
    await Promise.all([dumped("restarted.core"), restarted]);
  });
});
