/** The API without a cluster: real routes and a real storage; who may, which namespaces and pods there are, is the test's to say. */
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { FastifyInstance, LightMyRequestResponse } from "fastify";
import { pino } from "pino";
import type { UidLookup } from "../../../src/api/server/cluster.ts";
import { addDumpRoutes, type Downloads } from "../../../src/api/server/dump-route.ts";
import { Endpoints } from "../../../src/api/server/endpoints.ts";
import type { Guard } from "../../../src/api/server/guard.ts";
import { ApiMetrics } from "../../../src/api/server/metrics.ts";
import { addRoutes } from "../../../src/api/server/routes.ts";
import { createServer, tlsOptions } from "../../../src/api/server/server.ts";
import { notFound } from "../../../src/api/server/status-error.ts";
import { Keys } from "../../../src/api/server/stored.ts";
import { serveWatch } from "../../../src/api/server/watch-route.ts";
import { SqliteStorage } from "../../../src/api/storage/sqlite/sqlite.ts";
import { issue, makeAuthority } from "../../../src/webhook/pki/certificate.ts";
import type { Resource } from "../../support/kubectl.ts";
import { tempDir } from "../../support/tmp.ts";

export const API = "coredump.fujitsu.com/v1alpha1";
export const NAMESPACE_UID = "11111111-0000-4000-8000-000000000001";
export const POD_UID = "22222222-0000-4000-8000-000000000002";

/** Where endpoints of the namespace `team` are. */
export const IN_TEAM = `/apis/${API}/namespaces/team/coredumpendpoints`;

const VALID = { fromMs: Date.now() - 60_000, untilMs: Date.now() + 3_600_000 };
const CERTIFICATE = issue(makeAuthority("test", VALID), ["127.0.0.1"], VALID);

/** There are all namespaces but `gone`, and the pod `web-0` in each. */
const surroundings: UidLookup = {
  namespaceUid: async (namespace) => {
    if (namespace === "gone") throw notFound({ resource: "namespaces", name: namespace });
    return NAMESPACE_UID;
  },
  podUid: async (_, name) => {
    if (name !== "web-0") throw notFound({ resource: "pods", name });
    return POD_UID;
  },
};

const noDownloads: Downloads = {
  openDump: () => Promise.reject(new Error("not in this test")),
  openEndpoint: () => Promise.reject(new Error("not in this test")),
};

export interface Asked {
  readonly body?: unknown;
  readonly type?: string;
  readonly headers?: Record<string, string>;
}

export class Api implements AsyncDisposable {
  readonly app: FastifyInstance;
  readonly storage: SqliteStorage;
  /** Asked for each request, and again while a watch runs. */
  allows: Guard["check"] = async () => undefined;
  readonly audit: Record<string, unknown>[] = [];
  readonly #folder = tempDir();
  readonly #stopping = new AbortController();

  constructor({ downloads = noDownloads, perUser = 16 }: { downloads?: Downloads; perUser?: number } = {}) {
    this.storage = new SqliteStorage(join(this.#folder.path, "db"));
    const { storage } = this;
    const keys = new Keys("/registry/fujitsu.com");
    const endpoints = new Endpoints(storage, keys, surroundings);
    const metrics = new ApiMetrics();
    const guard: Guard = {
      check: async (request) => {
        request.user = { name: request.headers["x-test-user"]?.toString() ?? "alice", groups: [], extra: {} };
        await this.allows(request);
      },
    };
    const log = pino({ level: "silent" });
    const audit = pino({ base: null }, { write: (line: string) => void this.audit.push(JSON.parse(line)) });
    this.app = createServer(tlsOptions(CERTIFICATE, []), { guard, metrics, log, problems: async () => [] });
    const watch = { storage, keys, guard, metrics, stopping: this.#stopping.signal };
    addRoutes(this.app, {
      ...{ storage, keys, endpoints },
      serveWatch: (request, reply) => serveWatch(request, reply, watch),
    });
    addDumpRoutes(this.app, { downloads, endpoints, metrics, audit, perUser });
  }

  async ask(method: string, url: string, { body, type, headers }: Asked = {}): Promise<Answered> {
    const isPatch = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const answer = await this.app.inject({
      method: method as "GET",
      url,
      ...(body !== undefined && { payload: typeof body === "string" ? body : JSON.stringify(body) }),
      headers: { ...(body !== undefined && { "content-type": type ?? isPatch }), ...headers },
    });
    return new Answered(answer);
  }

  /** For what needs a connection: a port of its own. */
  async listen(): Promise<number> {
    if (!this.app.server.listening) await this.app.listen({ host: "127.0.0.1", port: 0 });
    return (this.app.server.address() as AddressInfo).port;
  }

  async create(metadata: object, spec: object = { poduid: POD_UID }, query = ""): Promise<Answered> {
    return await this.ask("POST", IN_TEAM + query, { body: endpoint(metadata, spec) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    this.app.server.closeAllConnections();
    await this.app.close();
    await this.storage[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

export const endpoint = (metadata: object, spec: object = { poduid: POD_UID }) => ({
  ...{ apiVersion: API, kind: "CoredumpEndpoint" },
  ...{ metadata, spec },
});

export class Answered {
  readonly code: number;
  readonly text: string;
  readonly headers: LightMyRequestResponse["headers"];

  constructor({ statusCode, body, headers }: LightMyRequestResponse) {
    this.code = statusCode;
    this.text = body;
    this.headers = headers;
  }

  get json(): Resource {
    return JSON.parse(this.text) as Resource;
  }

  /** `409 Conflict` */
  get status(): string {
    return this.code < 300 ? String(this.code) : `${this.code} ${this.json["reason"]}`;
  }
}
