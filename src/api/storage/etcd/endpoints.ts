/** etcd's members, and a connection to one of them. */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { type PeerCertificate, checkServerIdentity as tlsCheck } from "node:tls";
import type { Client } from "@grpc/grpc-js";
import type { StorageSettings } from "../../../config/storage-options.ts";
import { DumpError, reasonOf } from "../../../domain/failures.ts";

export type Grpc = typeof import("@grpc/grpc-js");
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
    const why = `Cannot use --etcd-servers=${servers}: ${server || "nothing"} is not a URL`;
    const hint = "as in --etcd-servers=https://etcd-0:2379,https://etcd-1:2379";
    throw new DumpError("SETTINGS_INVALID", why, { hint });
  });
}

export class EtcdEndpoint {
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

  /**
   * After TLS and HTTP/2's first words, so a member that refuses our certificate is not connected.
   * @throws Error when there is no connection within that time; the next try reads the certificates again
   */
  async connected(withinMs: number): Promise<Client> {
    this.#client ??= this.#open();
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

  /** What is under way ends by itself. */
  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  #open(): Client {
    const { hostname, port, protocol } = this.#url;
    const { Client, credentials } = this.#grpc;
    const address = `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
    if (protocol === "http:") return new Client(address, credentials.createInsecure(), CHANNEL);
    const { etcdCaFile, etcdKeyFile, etcdCertFile } = this.#files;
    const [authority, key, certificate] = [pem(etcdCaFile), pem(etcdKeyFile), pem(etcdCertFile)];
    const host = hostname.replace(/^\[|\]$/g, "");
    if (!isIP(host)) return new Client(address, credentials.createSsl(authority, key, certificate), CHANNEL);
    // TLS has no way to ask for an address by name, and Node refuses gRPC's attempt; the certificate has to name it all the same.
    const checkServerIdentity = (_: string, peer: PeerCertificate) => tlsCheck(host, peer);
    const verified = credentials.createSsl(authority, key, certificate, { checkServerIdentity });
    return new Client(address, verified, { ...CHANNEL, "grpc.ssl_target_name_override": "etcd" });
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
