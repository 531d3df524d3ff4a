/** The controller as a process, and the dumps that it decides about. */
import type { KubeHttp } from "../../src/kube/http.ts";
import { COREDUMP_API, collection, member } from "../../src/kube/objects.ts";
import { coredump } from "./coredump-resources.ts";
import { eventually } from "./eventually.ts";
import type { Resource } from "./kubectl.ts";
import { freePort, RELEASED, RoleProcess } from "./role-process.ts";

export class Controller extends RoleProcess {
  /** Started, and not waited for. */
  static async start(kubeconfig: string, ...flags: readonly string[]): Promise<Controller> {
    const port = await freePort();
    const own = ["--kubeconfig", kubeconfig, "--metrics-port", `${port}`, "--lease-duration", "2s"];
    return new Controller(RELEASED, ["controller", ...own, ...flags], port);
  }

  async leads(): Promise<void> {
    await eventually(async () => {
      if ((await this.metric("coredump_controller_leading")) !== 1) throw new Error(`it does not lead: ${this.said}`);
    });
  }
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
