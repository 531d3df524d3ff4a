/** A cluster and a store for the collector, in which it can be killed at any step. Watches tell nothing: they lag behind for ever. */

import { GcCluster } from "../../../src/cluster/collector/cluster.ts";
import { GcRounds } from "../../../src/cluster/collector/rounds.ts";
import type { GcSettings } from "../../../src/config/gc-options.ts";
import { DumpError } from "../../../src/domain/failures.ts";
import type { KubeHttp, KubeRequest } from "../../../src/kube/http.ts";
import { type CoredumpIdentity, keyOfCoredump } from "../../../src/store/bundle/key.ts";
import { MemorySink } from "../../contract/memory-sink.ts";
import { MemoryStore } from "../../contract/memory-store.ts";
import { FOREVER } from "../../contract/uploads.ts";
import { scriptedHttp } from "../../kube/scripted-http.ts";
import { coredump } from "../../support/coredump-resources.ts";
import type { Resource } from "../../support/kubectl.ts";

export const CLUSTER = "cluster-uid";
const HOUR_MS = 3_600_000;

const SETTINGS: GcSettings = {
  ...{ verbosity: 0, systemNamespace: "coredump-system", metricsPort: 0, leaseMs: 15_000, dryRun: false },
  ...{ podGoneMs: 24 * HOUR_MS, maxAgeMs: 720 * HOUR_MS, orphanMs: HOUR_MS, uploadMs: 24 * HOUR_MS },
  ...{ hostMs: 720 * HOUR_MS, dockerMs: 720 * HOUR_MS, restrictedMs: 168 * HOUR_MS },
  ...{ maxShare: 50, maxAtOnce: 20, intervalMs: 600_000 },
};

export class GcWorld {
  /** By path: `namespaces/shop`, `shop/pods/web`. */
  readonly objects = new Map<string, Resource>();
  readonly sink = new MemorySink();
  readonly store = new MemoryStore(this.sink);
  /** Each write that was made, and after each whatever breaks a promise. */
  readonly log: string[] = [];
  settings: GcSettings = SETTINGS;
  /** Writes that are still made; then we are dead. */
  writesLeft = Number.POSITIVE_INFINITY;
  /** What the last round over everything held back, and why. */
  alarm: string | undefined;
  #version = 0;
  #dumps = 0;

  namespace(name: string, uid = `uid-${name}`, more = {}): void {
    this.#put(`namespaces/${name}`, { metadata: { name, uid, creationTimestamp: new Date(0).toISOString(), ...more } });
  }

  pod(namespace: string, name: string, uid: string): void {
    this.#put(`${namespace}/pods/${name}`, { metadata: { name, namespace, uid } });
  }

  endpoint(namespace: string, name: string, poduid: string): void {
    this.#put(`${namespace}/coredumpendpoints/${name}`, {
      metadata: { name, namespace, uid: `e-${name}` },
      spec: { poduid },
    });
  }

  /** @returns its key; the bundle is there, too */
  dump(namespace: string, podUid: string, state: string | undefined): string {
    const name = `dump-${++this.#dumps}`;
    const id = `01939b5a-7c11-7e21-9c3d-${`${this.#dumps}`.padStart(12, "0")}`;
    const { spec } = coredump(name, { id, uid: podUid, namespaceUid: `uid-${namespace}` });
    const metadata = { name, namespace, uid: `uid-${name}`, creationTimestamp: new Date().toISOString() };
    if (state !== undefined) this.#put(`${namespace}/coredumps/${name}`, { metadata, spec, status: { state } });
    const key = keyOfCoredump(namespace, spec as CoredumpIdentity);
    this.sink.bundles.set(key, Buffer.alloc(100));
    return key;
  }

  states(): Record<string, string> {
    const dumps = [...this.objects].filter(([path]) => path.includes("/coredumps/"));
    return Object.fromEntries(dumps.map(([, { metadata, status }]) => [metadata["name"], status?.state]));
  }

  /** A collector that has just become the leader, for one round. @returns what it did (`verb what name`), or would do */
  async round(meanwhile: () => void = () => undefined): Promise<string[]> {
    await using leader = await this.leader();
    meanwhile();
    return await leader.round();
  }

  async leader(): Promise<AsyncDisposable & { round(scope?: string): Promise<string[]> }> {
    const [stop, acts] = [new AbortController(), [] as string[]];
    const cluster = new GcCluster(this.#http, () => undefined);
    const following = cluster.follow(() => undefined, stop.signal);
    await cluster.whenSynced(stop.signal);
    await cluster.endpoints.whenSynced(stop.signal);
    const rounds = new GcRounds({
      ...{ http: this.#http, store: this.#gated(), settings: this.settings, cluster, clusterUid: CLUSTER },
      done: ({ verb, what, name }) => acts.push(`${verb} ${what} ${name}`),
      counted: () => undefined,
      held: async (alarm) => {
        this.alarm = alarm?.message;
      },
    });
    return {
      round: async (scope = "") => {
        await rounds.round(scope, FOREVER);
        return acts.splice(0);
      },
      [Symbol.asyncDispose]: async () => {
        stop.abort();
        await following;
      },
    };
  }

  readonly #http: KubeHttp = scriptedHttp(async (request) => {
    if (request.verb === "watch") return silence(request);
    if (request.resource === "customresourcedefinitions") return ESTABLISHED;
    if (request.verb === "list") return this.#list(request);
    if (request.verb === "get") return this.#get(request);
    return this.#write(`${request.verb} ${request.path.split("/").slice(4).join("/")}`, () => this.#change(request));
  });

  #list({ path }: KubeRequest): object {
    const [, namespace, kind = ""] = /(?:namespaces\/([^/]+)\/)?([^/]+)$/.exec(path) ?? [];
    const items = [...this.objects].filter(([path]) =>
      kind === "namespaces"
        ? path.startsWith("namespaces/")
        : path.includes(`/${kind}/`) && path.startsWith(namespace ? `${namespace}/` : ""),
    );
    return { metadata: { resourceVersion: `${this.#version}` }, items: items.map(([, object]) => object) };
  }

  #get({ path }: KubeRequest): Resource | DumpError {
    return this.objects.get(placeOf(path)) ?? new DumpError("NOT_FOUND", `no ${path}`);
  }

  #change(request: KubeRequest): Resource | DumpError {
    const { verb, path, body } = request;
    const object = this.#get({ ...request, path: path.replace(/\/status$/, "") });
    if (object instanceof DumpError) return object;
    const given = body as Resource & { preconditions?: Record<string, string> };
    for (const [field, value] of Object.entries(
      given.preconditions ?? { resourceVersion: given.metadata?.["resourceVersion"] },
    ))
      if (object.metadata[field] !== value) return new DumpError("API_CONFLICT", `${path} was changed`);
    if (verb === "delete") this.objects.delete(placeOf(path));
    else
      this.#put(placeOf(path.replace(/\/status$/, "")), {
        ...object,
        status: { ...object["status"], ...given["status"] },
      });
    return object;
  }

  #gated(): MemoryStore {
    return Object.assign(Object.create(this.store) as MemoryStore, {
      list: this.store.list.bind(this.store),
      unfinished: this.store.unfinished.bind(this.store),
      abort: this.store.abort.bind(this.store),
      readNote: this.store.readNote.bind(this.store),
      remove: (key: string) => this.#write(`remove ${key}`, () => this.store.remove(key, FOREVER)),
      writeNote: (name: string, text: string) =>
        this.#write(`note ${name}`, () => this.store.writeNote(name, text, FOREVER)),
    });
  }

  async #write<T>(what: string, act: () => T): Promise<T> {
    if (this.writesLeft-- <= 0) throw new Error("killed");
    this.log.push(what);
    return act();
  }

  #put(path: string, object: object): void {
    const { metadata, ...rest } = object as Resource;
    this.objects.set(path, { ...rest, metadata: { ...metadata, resourceVersion: `${++this.#version}` } } as Resource);
  }
}

const ESTABLISHED = { metadata: { uid: "crd-uid" }, status: { conditions: [{ type: "Established", status: "True" }] } };

function placeOf(path: string): string {
  const parts = path.split("/").slice(-3);
  return parts[1] === "namespaces" || path.split("/").length === 5 ? parts.slice(-2).join("/") : parts.join("/");
}

/** A watch that is open, and tells nothing. */
async function* silence({ signal }: KubeRequest): AsyncGenerator<Buffer> {
  await new Promise((resolve) => signal?.addEventListener("abort", resolve, { once: true }));
  yield* [];
}
