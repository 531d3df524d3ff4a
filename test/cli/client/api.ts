/** An API server of a test: Coredumps, endpoints, and their bytes as `src/store/download/answer.ts` says they are to be answered. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import type { Endpoint } from "../../../src/cli/client/objects.ts";
import type { Coredump } from "../../../src/kube/coredump.ts";
import { answerFor } from "../../../src/store/download/answer.ts";
import { bundled, testDump } from "../../store/upload/dumps.ts";
import { type TempDir, tempDir } from "../../support/tmp.ts";

/** A request for bytes. */
export interface Asked {
  readonly url: URL;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly headers: IncomingMessage["headers"];
}

export class Api implements AsyncDisposable {
  readonly coredumps: Coredump[] = [];
  readonly endpoints: Endpoint[] = [];
  readonly asked: Asked[] = [];
  readonly folder: TempDir = tempDir();
  /** By path behind `/namespaces/`: `shop/coredumps/web-0?part=core`. */
  readonly files = new Map<string, Buffer>();
  /** By the same path, made when they are asked for. */
  readonly bundles = new Map<string, () => Promise<Buffer>>();
  etag: string | undefined;
  /** May answer by itself, or break the connection; `n` counts requests for bytes from 1 on. */
  onDump: (n: number, response: ServerResponse, asked: Asked) => boolean | Promise<boolean> = () => false;
  /** Answers a POST. */
  onCreate: (body: unknown, response: ServerResponse) => void = (_, response) => send(response, 405, {});
  readonly #server: Server;
  readonly #watches: ServerResponse[] = [];

  private constructor(server: Server) {
    this.#server = server;
    server.on("request", (request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<Api> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Api(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A kubeconfig whose context's namespace is `shop`. */
  get kubeconfig(): string {
    const path = join(this.folder.path, "kubeconfig");
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "here",
      contexts: [{ name: "here", context: { cluster: "here", user: "alice", namespace: "shop" } }],
      clusters: [{ name: "here", cluster: { server: this.url, "insecure-skip-tls-verify": true } }],
      users: [{ name: "alice", user: { token: "of-alice" } }],
    };
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
    return path;
  }

  /** A dump that is Saved, with these bytes as its core. */
  saved(name: string, core: Buffer, changes: { spec?: object; status?: object } = {}): void {
    const checksum = `sha256:${createHash("sha256").update(core).digest("hex")}`;
    const metadata = { name, namespace: "shop", uid: `uid-${name}`, resourceVersion: "7" };
    this.coredumps.push({
      metadata,
      spec: { filename: "nginx", pod: "web-0", size: `${core.length}`, ...changes.spec },
      status: { state: "Saved", checksum, complete: true, ...changes.status },
    });
    this.files.set(`shop/coredumps/${name}?part=core`, core);
    let bundle: Promise<Buffer> | undefined;
    this.bundles.set(`shop/coredumps/${name}`, () => (bundle ??= bundleWith(core)));
  }

  /** As it is stored; a change of its bytes is a damage of the store. */
  async bundleOf(name: string): Promise<Buffer> {
    return (await this.bundles.get(`shop/coredumps/${name}`)?.()) ?? Buffer.alloc(0);
  }

  /** Tells whoever watches. */
  event(type: "ADDED" | "MODIFIED" | "DELETED", object: Coredump): void {
    for (const response of this.#watches) response.write(`${JSON.stringify({ type, object })}\n`);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", "http://api");
    const [, version, namespace = "", kind, name, sub] =
      /^\/apis\/coredump\.fujitsu\.com\/(v1|v1alpha1)(?:\/namespaces\/([^/]+))?\/(\w+)(?:\/([^/]+))?(?:\/(\w+))?$/.exec(
        url.pathname,
      ) ?? [];
    const objects = kind === "coredumps" ? this.coredumps : this.endpoints;
    const isAt = ({ metadata }: Coredump | Endpoint): boolean =>
      metadata.namespace === namespace && metadata.name === name;
    if (version === undefined)
      return refuse(response, 404, "NotFound", "the server could not find the requested resource");
    if (sub === "dump") return await this.#dump(url, `${namespace}/${kind}/${name}`, request, response);
    if (url.searchParams.get("watch") === "true") {
      response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
      return void this.#watches.push(response);
    }
    if (request.method === "POST") return this.onCreate(await json(request), response);
    if (name === undefined)
      return send(response, 200, {
        kind: "List",
        metadata: { resourceVersion: "9" },
        items: objects.filter(({ metadata }) => namespace === "" || metadata.namespace === namespace),
      });
    const at = objects.findIndex(isAt);
    if (at < 0) return refuse(response, 404, "NotFound", `${kind}.coredump.fujitsu.com "${name}" not found`, name);
    if (request.method === "DELETE") objects.splice(at, 1);
    send(response, 200, objects[at] ?? { kind: "Status", status: "Success" });
  }

  async #dump(url: URL, key: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { range } = request.headers;
    const ifRange = request.headers["if-range"]?.toString();
    const asked: Asked = { url, range, ifRange, headers: request.headers };
    const n = this.asked.push(asked);
    if (await this.onDump(n, response, asked)) return;
    const part = url.searchParams.get("part") ?? "core";
    const bytes =
      this.files.get(`${key}?part=${part}`) ?? (part === "bundle" ? await this.bundles.get(key)?.() : undefined);
    if (!bytes) return refuse(response, 404, "NotFound", `no bytes of ${key}`, key);
    const etag = this.etag ?? `"${createHash("sha256").update(bytes).digest("hex")}"`;
    const what = { etag, lengthBytes: bytes.length, filename: "x", contentType: "application/octet-stream" };
    const answer = answerFor(what, request.method ?? "GET", request.headers);
    response.writeHead(answer.status, answer.headers);
    response.end(answer.range && bytes.subarray(answer.range.fromBytes, answer.range.toBytes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
    this.folder[Symbol.dispose]();
  }
}

async function bundleWith(core: Buffer): Promise<Buffer> {
  using dump = testDump(core.length, [{ atBytes: 0, bytes: core }]);
  return await bundled(dump);
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

/** As kube-apiserver refuses: metav1.Status. */
export function refuse(response: ServerResponse, code: number, reason: string, message: string, name?: string): void {
  send(response, code, {
    kind: "Status",
    status: "Failure",
    code,
    reason,
    message,
    details: { ...(name && { name }) },
  });
}
