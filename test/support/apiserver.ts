/** The aggregated API server as a process of this machine, registered with a test's cluster. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { request } from "node:https";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { parse, parseAllDocuments } from "yaml";
import type { Cluster } from "./cluster.ts";
import { applyCrds } from "./coredump-resources.ts";
import { eventually } from "./eventually.ts";
import type { Resource, User } from "./kubectl.ts";
import { ROOT } from "./paths.ts";

const exec = promisify(execFile);
export const SYSTEM_NAMESPACE = "coredump-system";
export const API = "coredump.fujitsu.com/v1alpha1";

/** Where it keeps its objects: in a file of the cluster's folder, or in the cluster's own etcd, at a prefix that is not kube-apiserver's. */
export const STORAGES = ["SQLite", "etcd"] as const;
type Storage = (typeof STORAGES)[number];

export interface ApiServerOptions {
  /** Where bundles are: flags such as `--store DIR`. Default: a directory without any. */
  readonly store?: readonly string[];
  /** Default: SQLite. */
  readonly storage?: Storage;
  readonly flags?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** An executable in place of the sources. */
  readonly program?: string;
  /** Of several in one cluster; only the last one that was started is the one that is registered. */
  readonly name?: string;
}

/** CRDs, rights and service account, as an admin applies them. Harmless when it was done already. */
export async function applyRights(cluster: Cluster): Promise<void> {
  await applyCrds(cluster);
  for (const file of ["apiserver", "tenants"])
    for (const object of documents(`install/rbac/${file}.yaml`)) await cluster.send("apply", object);
}

const documents = (file: string): Resource[] =>
  parseAllDocuments(readFileSync(join(ROOT, file), "utf8")).map((each) => each.toJS());

/** What it says of a download. */
export interface AuditLine {
  readonly msg: string;
  readonly user: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly part: string;
  readonly status: number;
  readonly bytes: number;
  readonly outcome: string;
}

const storageFlags = ({ folder }: Cluster, name: string, storage: Storage = "SQLite"): readonly string[] =>
  storage === "SQLite"
    ? ["--database", join(folder, `${name}.db`)]
    : ["--etcd-servers", `http://127.0.0.1:${26000 + Number(readFileSync(join(folder, "index"), "utf8")) * 10}`];

export class ApiServer implements AsyncDisposable {
  readonly cluster: Cluster;
  /** Straight to it, past kube-apiserver: `https://198.18.0.1:40001`. */
  readonly url: string;
  /** Of its certificate's authority, in PEM. */
  readonly ca: string;
  /** Certificate and key, which may be replaced while it runs. */
  readonly files: { readonly cert: string; readonly key: string };
  readonly #child: ChildProcess;
  readonly #log: () => string;

  private constructor(
    cluster: Cluster,
    files: ApiServer["files"],
    ca: string,
    running: { child: ChildProcess; port: number; log: () => string },
  ) {
    this.cluster = cluster;
    this.files = files;
    this.ca = ca;
    this.url = `https://${cluster.address}:${running.port}`;
    this.#child = running.child;
    this.#log = running.log;
  }

  /** Started, registered, and available through kube-apiserver. Applies what it needs first. */
  static async start(cluster: Cluster, options: ApiServerOptions = {}): Promise<ApiServer> {
    await applyRights(cluster);
    const itself = await cluster.serviceAccount(SYSTEM_NAMESPACE, "coredump-api");
    const server = await ApiServer.unregistered(cluster, itself, options);
    try {
      await register(cluster, Number(new URL(server.url).port), server.ca);
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw new Error(`${(error as Error).message}\n${server.said}`, { cause: error });
    }
  }

  /** Started, and known to nobody. @param itself  as whom it asks kube-apiserver */
  static async unregistered(cluster: Cluster, itself: User, options: ApiServerOptions = {}): Promise<ApiServer> {
    const name = options.name ?? "apiserver";
    const files = { cert: join(cluster.folder, `${name}.crt`), key: join(cluster.folder, `${name}.key`) };
    await makeCertificate(cluster, files);
    const args = [
      "apiserver",
      ...["--kubeconfig", itself.kubeconfig, "--bind-address", cluster.address, "--secure-port", "0"],
      ...["--tls-cert-file", files.cert, "--tls-private-key-file", files.key],
      ...(options.store ?? ["--store", cluster.folder]),
      ...storageFlags(cluster, name, options.storage),
      ...(options.flags ?? []),
    ];
    const program = options.program === undefined ? FROM_SOURCES : [options.program];
    const running = await listening([...program, ...args], options.env ?? {});
    const ca = readFileSync(join(cluster.folder, "pki/ca.crt"), "utf8");
    return new ApiServer(cluster, files, ca, running);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** All that it said. */
  get said(): string {
    return this.#log();
  }

  get log(): (Record<string, unknown> & { readonly level: number; readonly msg: string })[] {
    return this.said.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
  }

  get audit(): AuditLine[] {
    return this.log.filter(({ msg }) => msg === "Download") as unknown as AuditLine[];
  }

  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | string | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, "exit");
      this.#child.kill(signal);
      await ended;
    }
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }
}

/** Signed by the cluster's own authority, which a test may take for any other. Written as a mounted Secret is not: in place. */
export async function makeCertificate(cluster: Cluster, { cert, key }: ApiServer["files"]): Promise<void> {
  const pki = join(cluster.folder, "pki");
  const extensions = join(cluster.folder, "apiserver.ext");
  const names = `DNS:coredump-api.${SYSTEM_NAMESPACE}.svc,IP:${cluster.address}`;
  writeFileSync(extensions, `extendedKeyUsage=serverAuth\nsubjectAltName=${names}\n`);
  const request = `${cert}.csr`;
  await exec("openssl", [
    ...["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-subj", "/CN=coredump-api", "-keyout", `${key}.new`, "-out", request],
  ]);
  await exec("openssl", [
    ...["x509", "-req", "-in", request, "-CA", join(pki, "ca.crt"), "-CAkey", join(pki, "ca.key"), "-days", "2"],
    ...["-set_serial", `0x${Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex")}`],
    ...["-extfile", extensions, "-out", `${cert}.new`],
  ]);
  for (const file of [key, cert]) writeFileSync(file, readFileSync(`${file}.new`), { mode: 0o600 });
}

const FROM_SOURCES = [join(ROOT, "bin/node"), "--disable-warning=ExperimentalWarning", join(ROOT, "src/main.ts")];

async function listening([program = "", ...args]: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (log += text));
  const port = await eventually(() => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${log}`);
    const found = /"address":"https:[^"]*:(\d+)"/.exec(log)?.[1];
    if (found === undefined) throw new Error(`it does not listen: ${log}`);
    return Number(found);
  }).catch((error) => {
    child.kill("SIGKILL");
    throw error;
  });
  return { child, port, log: () => log };
}

/** Behind the server's start: what kube-apiserver once found unavailable it asks for its OpenAPI a minute later only. */
async function register(cluster: Cluster, port: number, ca: string): Promise<void> {
  const [service, apiService] = documents("install/apiservice/apiservice.yaml") as [Resource, Resource];
  await cluster.send("apply", service);
  // The Service has no pods here: where it leads to says this.
  await cluster.send("apply", {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: "coredump-api-test",
      namespace: SYSTEM_NAMESPACE,
      labels: { "kubernetes.io/service-name": "coredump-api" },
    },
    addressType: "IPv4",
    ports: [{ name: "https", port, protocol: "TCP" }],
    endpoints: [{ addresses: [cluster.address], conditions: { ready: true } }],
  });
  const spec = { ...apiService["spec"], caBundle: Buffer.from(ca).toString("base64") };
  await cluster.send("apply", { ...apiService, spec });
  const name = `apiservice/${apiService.metadata["name"]}`;
  await cluster.kubectl("wait", "--for=condition=Available", name, "--timeout=60s");
  await eventually(() => cluster.kubectl("get", "--raw", `/apis/${API}/coredumpendpoints`));
}

export interface Credentials {
  /** PEM, of a client. */
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Straight to the server's port, past kube-apiserver; the path goes out as it is written. */
export async function askStraight(
  { url, ca }: Pick<ApiServer, "url" | "ca">,
  path: string,
  { cert, key, headers }: Credentials = {},
  method = "GET",
  body?: string,
): Promise<Answer> {
  const { hostname: host, port } = new URL(url);
  const sent = request({
    host,
    port,
    path,
    method,
    ca,
    agent: false,
    ...(cert && { cert, key }),
    headers: { ...headers },
  });
  sent.end(body);
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: await buffer(answer) };
}

/** Those of a kubeconfig that the test bed made. */
export function credentialsOf({ kubeconfig }: User): Credentials {
  const { users } = parse(readFileSync(kubeconfig, "utf8")) as { users: { user: Record<string, string> }[] };
  const { token, "client-certificate-data": cert = "", "client-key-data": key = "" } = users[0]?.user ?? {};
  if (token !== undefined) return { headers: { authorization: `Bearer ${token}` } };
  return { cert: Buffer.from(cert, "base64"), key: Buffer.from(key, "base64") };
}

/** kube-apiserver's own certificate for those behind it, with which it may name anybody. */
export const frontProxyOf = ({ folder }: Cluster): Credentials => ({
  cert: readFileSync(join(folder, "pki/front-proxy.crt")),
  key: readFileSync(join(folder, "pki/front-proxy.key")),
});
