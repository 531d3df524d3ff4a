/**
 * Requests to the API server, as little as they need: credentials come from @kubernetes/client-node, bytes go over
 * node:https. Its own client parses each answer whole and loads every kind that there is; a controller over ten thousand
 * objects must do neither.
 *
 * Errors  are DumpErrors with the codes `API_…` and NOT_FOUND; their message names verb and resource.
 */

import { request as httpRequest, type IncomingMessage } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { text } from "node:stream/consumers";
import type { KubeConfig } from "@kubernetes/client-node";
import { DumpError, reasonOf } from "../domain/failures.ts";
import { failureOf } from "./failures.ts";

export interface KubeRequest {
  readonly verb: "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";
  /** For messages, as RBAC calls it: `coredumps/status`. */
  readonly resource: string;
  /** From the root: `/apis/coredump.fujitsu.com/v1/coredumps`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly contentType?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long the server may say nothing; default 30 s. */
  readonly idleMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface KubeHttp {
  /** The answer's body, parsed. */
  json<T>(request: KubeRequest): Promise<T>;
  /** The answer's body as it comes. Ceasing to read early closes the connection. */
  stream(request: KubeRequest): Promise<AsyncIterable<Buffer>>;
}

/** For callers that need an answer's head, too. */
export interface KubeAnswers extends KubeHttp {
  /** Only an answer of success. A caller that does not read all of its body must destroy it. */
  answer(request: KubeRequest): Promise<IncomingMessage>;
}

const METHODS = {
  get: "GET",
  list: "GET",
  watch: "GET",
  create: "POST",
  update: "PUT",
  patch: "PATCH",
  delete: "DELETE",
};
const IDLE_MS = 30_000;
const CONNECTIONS = 32;

export const MERGE_PATCH = "application/merge-patch+json";

/** @param kubeconfig path; without one as kubectl finds it, or in a pod the pod's service account */
export async function connect(kubeconfig?: string): Promise<KubeAnswers> {
  const { KubeConfig: Config } = await import("@kubernetes/client-node");
  const load = (): KubeConfig => {
    const config = new Config();
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
    return config;
  };
  return new Connection(load, {});
}

/**
 * As a person's own kubeconfig says.
 * @param load     called again when the server no longer knows the credentials
 * @param headers  of every request
 */
export const connectAs = (load: () => KubeConfig, headers: Readonly<Record<string, string | string[]>>): KubeAnswers =>
  new Connection(load, headers);

class Connection implements KubeAnswers {
  readonly #load: () => KubeConfig;
  readonly #headers: Readonly<Record<string, string | string[]>>;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  #config: KubeConfig | undefined;

  constructor(load: () => KubeConfig, headers: Readonly<Record<string, string | string[]>>) {
    this.#load = load;
    this.#headers = headers;
  }

  async json<T>(request: KubeRequest): Promise<T> {
    const answer = await this.answer(request);
    try {
      return JSON.parse(await text(answer)) as T;
    } catch (error) {
      throw unavailable(request, error);
    }
  }

  async stream(request: KubeRequest): Promise<AsyncIterable<Buffer>> {
    const answer = await this.answer(request);
    return (async function* () {
      try {
        yield* answer as AsyncIterable<Buffer>;
      } catch (error) {
        request.signal?.throwIfAborted();
        throw unavailable(request, error);
      }
    })();
  }

  async answer(request: KubeRequest): Promise<IncomingMessage> {
    request.signal?.throwIfAborted();
    const answer = await this.#exchange(request).catch((error) => {
      request.signal?.throwIfAborted();
      throw error instanceof DumpError ? error : unavailable(request, error);
    });
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    if (status === 401) this.#config = undefined; // the kubeconfig may have been renewed
    throw failureOf(request, status, await text(answer).catch(() => ""));
  }

  async #exchange(request: KubeRequest) {
    const { verb, path, query, body, idleMs = IDLE_MS, signal } = request;
    const { options, url } = await this.#target(path, query);
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers = {
      ...options.headers,
      ...this.#headers,
      ...request.headers,
      accept: request.accept ?? "application/json",
      "user-agent": "coredump-detector",
      ...(bytes && { "content-type": request.contentType ?? "application/json", "content-length": `${bytes.length}` }),
    };
    const send = url.protocol === "http:" ? httpRequest : httpsRequest;
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = send(url, { ...options, method: METHODS[verb], headers, ...(signal && { signal }) }, resolve);
      sent.setTimeout(idleMs, () => sent.destroy(new Error(`no answer for ${idleMs / 1000} s`)));
      sent.on("error", reject);
      sent.end(bytes);
    });
  }

  /** Read again for every request: tokens are short-lived, and client-node reads their files again after a minute. */
  async #target(path: string, query: Readonly<Record<string, string>> = {}) {
    try {
      this.#config ??= this.#load();
      const cluster = this.#config.getCurrentCluster();
      if (!cluster) throw new Error("it names no current cluster");
      const options: RequestOptions = {};
      await this.#config.applyToHTTPSOptions(options);
      if (!cluster.proxyUrl) options.agent = cluster.server.startsWith("http:") ? undefined : this.#agent;
      return { options, url: new URL(`${cluster.server.replace(/\/$/, "")}${path}?${new URLSearchParams(query)}`) };
    } catch (error) {
      this.#config = undefined;
      const { path: file } = error as NodeJS.ErrnoException; // of a certificate, a key, a token
      const why = [reasonOf(error), ...(file === undefined ? [] : [file])].join(": ");
      throw new DumpError("API_UNAVAILABLE", `Cannot use the kubeconfig: ${why}`, { cause: error });
    }
  }
}

const unavailable = ({ verb, resource }: KubeRequest, error: unknown): DumpError =>
  error instanceof DumpError
    ? error
    : new DumpError("API_UNAVAILABLE", `Cannot ${verb} ${resource}: ${reasonOf(error)}`, { cause: error });
