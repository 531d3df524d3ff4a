/** Stands between a client and a cluster's API server: sees each request, and may do something about it. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Cluster } from "./cluster.ts";

export interface Seen {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly isWatch: boolean;
}

export class KubeProxy implements AsyncDisposable {
  readonly seen: Seen[] = [];
  /** Called before a request goes on, and again before its answer does. */
  onRequest: (seen: Seen, when: "before" | "after") => void | Promise<void> = () => undefined;
  /** For whoever is to go through here, with cluster-admin's rights. */
  readonly kubeconfig: string;
  readonly #server: Server;

  private constructor(server: Server, kubeconfig: string) {
    this.#server = server;
    this.kubeconfig = kubeconfig;
  }

  static async start(cluster: Cluster): Promise<KubeProxy> {
    const view = JSON.parse(await cluster.kubectl("config", "view", "--raw", "--output", "json"));
    const { server: target, "certificate-authority-data": ca } = view.clusters[0].cluster;
    const { "client-certificate-data": cert, "client-key-data": key } = view.users[0].user;
    const tls = Object.fromEntries(
      Object.entries({ ca, cert, key }).map(([name, data]) => [name, Buffer.from(data, "base64")]),
    );
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    view.clusters[0].cluster = { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true };
    view.users[0].user = {};
    const kubeconfig = join(cluster.folder, "users", `proxy-${port}.kubeconfig`);
    writeFileSync(kubeconfig, JSON.stringify(view), { mode: 0o600 });
    const proxy = new KubeProxy(server, kubeconfig);
    server.on("request", (request, response) => {
      const seen = seenIn(request);
      proxy.seen.push(seen);
      const give = async () => {
        await proxy.onRequest(seen, "before");
        const { method, headers, url } = request;
        const onward = httpsRequest(new URL(url ?? "", target), {
          ...tls,
          method,
          headers: { ...headers, host: new URL(target).host },
        });
        onward.on("error", () => response.destroy());
        response.on("close", () => onward.destroy());
        request.pipe(onward);
        const [answer] = (await once(onward, "response")) as [IncomingMessage];
        await proxy.onRequest(seen, "after");
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.on("error", () => response.destroy());
        answer.pipe(response);
      };
      void give().catch(() => response.destroy());
    });
    return proxy;
  }

  /** Writes that were asked for, without those of the leader's own Lease. */
  get writes(): Seen[] {
    return this.seen.filter(({ method, path }) => method !== "GET" && !path.includes("/leases"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

function seenIn({ method = "", url = "" }: IncomingMessage): Seen {
  const { pathname, searchParams } = new URL(url, "http://proxy");
  return { method, path: pathname, isWatch: searchParams.get("watch") === "true" };
}
