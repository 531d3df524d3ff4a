/** etcd's members, and a connection to one of them. */
import { readFileSync } from "node:fs";
import type { ChannelCredentials, Client } from "@grpc/grpc-js";
import type { StorageSettings } from "../config/storage-options.ts";
import { DumpError, reasonOf } from "../domain/failures.ts";

type Grpc = typeof import("@grpc/grpc-js");
type TlsFiles = Pick<StorageSettings, "etcdCaFile" | "etcdCertFile" | "etcdKeyFile">;

const CHANNEL = {
  "grpc.enable_http_proxy": 0,
  "grpc.max_receive_message_length": -1, // pages are ours to keep small
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 2000,
  // A member whose machine died closes no connection. It takes no more than a ping in five seconds.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5000,
};

/** @throws DumpError SETTINGS_INVALID */
export function endpointsOf(servers: string): readonly URL[] {
  return servers.split(",").map((server) => {
    const url = URL.parse(server.trim());
    if (url && ["http:", "https:"].includes(url.protocol) && url.hostname !== "") return url;
    throw new DumpError("SETTINGS_INVALID", `Cannot use --etcd-servers=${servers}: ${server || "nothing"} is no URL`, {
      hint: "as in --etcd-servers=https://etcd-0:2379,https://etcd-1:2379",
    });
  });
}

export class Endpoint {
  readonly #grpc: Grpc;
  readonly #url: URL;
  readonly #files: TlsFiles;
  #client: Client | undefined;

  constructor(grpc: Grpc, url: URL, files: TlsFiles) {
    this.#grpc = grpc;
    this.#url = url;
    this.#files = files;
  }

  get name(): string {
    return this.#url.origin;
  }

  /** @throws Error when there is no connection within that time; the next try reads the certificates anew */
  async connected(withinMs: number): Promise<Client> {
    this.#client ??= new this.#grpc.Client(this.#address, this.#credentials(), CHANNEL);
    const client = this.#client;
    try {
      await new Promise<void>((resolve, reject) =>
        client.waitForReady(Date.now() + withinMs, (error) => (error ? reject(error) : resolve())),
      );
      return client;
    } catch (error) {
      if (this.#client === client) this.close();
      throw error;
    }
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  get #address(): string {
    const { hostname, port, protocol } = this.#url;
    return `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
  }

  #credentials(): ChannelCredentials {
    const { credentials } = this.#grpc;
    if (this.#url.protocol === "http:") return credentials.createInsecure();
    const { etcdCaFile, etcdKeyFile, etcdCertFile } = this.#files;
    return credentials.createSsl(pem(etcdCaFile), pem(etcdKeyFile), pem(etcdCertFile));
  }
}

function pem(path: string | undefined): Buffer | null {
  try {
    return path === undefined ? null : readFileSync(path);
  } catch (cause) {
    throw new DumpError("STORAGE_UNAVAILABLE", `Cannot read ${path}: ${reasonOf(cause)}`, {
      cause,
      hint: "correct --etcd-cafile, --etcd-certfile, --etcd-keyfile",
    });
  }
}
