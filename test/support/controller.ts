/** The controller as a process, and the dumps that it decides about. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import type { KubeHttp } from "../../src/kube/http.ts";
import { COREDUMP_API, collection, member } from "../../src/kube/objects.ts";
import { coredump } from "./coredump-resources.ts";
import { eventually } from "./eventually.ts";
import type { Resource } from "./kubectl.ts";
import { BINARY } from "./paths.ts";

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly code?: string;
  readonly hint?: string;
  readonly where?: string;
}

export class Controller implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #port: number;
  #log = "";

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
    child.stdout?.on("data", (chunk) => (this.#log += chunk));
    child.stderr?.on("data", (chunk) => (this.#log += chunk));
  }

  /** Started, and not waited for. */
  static async start(kubeconfig: string, ...flags: readonly string[]): Promise<Controller> {
    const port = await freePort();
    const args = [
      "controller",
      "--kubeconfig",
      kubeconfig,
      "--metrics-port",
      `${port}`,
      "--lease-duration",
      "2s",
      ...flags,
    ];
    return new Controller(spawn(BINARY, args, { stdio: ["ignore", "pipe", "pipe"] }), port);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get log(): LogLine[] {
    return this.#log.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as LogLine] : []));
  }

  /** All that it said, also what is no log line. */
  get said(): string {
    return this.#log;
  }

  async ask(path: string): Promise<{ status: number; text: string }> {
    const answer = await fetch(`http://127.0.0.1:${this.#port}${path}`);
    return { status: answer.status, text: await answer.text() };
  }

  /** A figure of /metrics: `coredump_controller_requests_total{verb="list",resource="nodes"}`; 0 when there is none. */
  async metric(name: string): Promise<number> {
    const line = (await this.ask("/metrics")).text.split("\n").find((each) => each.startsWith(`${name} `));
    return Number(line?.split(" ").at(-1) ?? 0);
  }

  async leads(): Promise<void> {
    await eventually(async () => {
      if ((await this.metric("coredump_controller_leading")) !== 1) throw new Error(`it does not lead: ${this.#log}`);
    });
  }

  /** Ends it. @returns its exit code, or the signal that it died of */
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Dumps and quotas of one namespace, without the detour of kubectl. */
export class Dumps {
  readonly #http: KubeHttp;
  readonly #namespace: string;

  constructor(http: KubeHttp, namespace: string) {
    this.#http = http;
    this.#namespace = namespace;
  }

  /** As an agent registers it. */
  async crash(
    name: string,
    size: string | number,
    state = "Created",
    spec: Record<string, unknown> = {},
  ): Promise<void> {
    const path = collection(COREDUMP_API, "coredumps", this.#namespace);
    await this.#http.json({ verb: "create", resource: "coredumps", path, body: coredump(name, { size, ...spec }) });
    await this.status(name, { state });
  }

  async status(name: string, status: object): Promise<void> {
    const path = `${member(COREDUMP_API, "coredumps", name, this.#namespace)}/status`;
    const contentType = "application/merge-patch+json";
    await this.#http.json({ verb: "patch", resource: "coredumps", path, body: { status }, contentType });
  }

  /** Its size, which was not known before. */
  async resize(name: string, size: string): Promise<void> {
    const path = member(COREDUMP_API, "coredumps", name, this.#namespace);
    const contentType = "application/merge-patch+json";
    await this.#http.json({ verb: "patch", resource: "coredumps", path, body: { spec: { size } }, contentType });
  }

  /** Made, or given another limit. */
  async quota(name: string, hard: string): Promise<void> {
    const path = member(COREDUMP_API, "coredumpquotas", name, this.#namespace);
    const body = { apiVersion: COREDUMP_API, kind: "CoredumpQuota", metadata: { name }, spec: { hard } };
    const query = { fieldManager: "test" };
    await this.#http.json({
      verb: "patch",
      resource: "coredumpquotas",
      path,
      query,
      body,
      contentType: "application/apply-patch+yaml",
    });
  }

  async delete(kind: "coredumps" | "coredumpquotas", name: string): Promise<void> {
    await this.#http.json({ verb: "delete", resource: kind, path: member(COREDUMP_API, kind, name, this.#namespace) });
  }

  async all(kind: "coredumps" | "coredumpquotas" = "coredumps"): Promise<Resource[]> {
    const path = collection(COREDUMP_API, kind, this.#namespace);
    return (await this.#http.json<{ items: Resource[] }>({ verb: "list", resource: kind, path })).items;
  }

  /** State by name. */
  async states(): Promise<Record<string, string>> {
    return Object.fromEntries(
      (await this.all()).map(({ metadata, status }) => [metadata["name"], status?.state ?? ""]),
    );
  }

  async get(name: string): Promise<Resource> {
    return await this.#http.json({
      verb: "get",
      resource: "coredumps",
      path: member(COREDUMP_API, "coredumps", name, this.#namespace),
    });
  }
}
