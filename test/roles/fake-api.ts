/** As much of an API server as the quotas need: versions, preconditions, merge patches of a status, a log for watches. */
import { DumpError } from "../../src/domain/failures.ts";
import type { KubeHttp, KubeRequest } from "../../src/kube/http.ts";

// biome-ignore lint/suspicious/noExplicitAny: objects of all kinds
export type Stored = { metadata: Record<string, any>; spec: Record<string, any>; status: Record<string, any> };

export interface Event {
  readonly type: "MODIFIED" | "DELETED";
  readonly kind: string;
  readonly object: Stored;
}

export class FakeApi {
  readonly objects = new Map<string, Stored>();
  readonly log: Event[] = [];
  #version = 0;

  /** Called behind every write. */
  onWrite: () => void = () => undefined;

  put(kind: string, name: string, spec: object, status: object): void {
    const known = this.objects.get(`${kind}/${name}`);
    const uid = known?.metadata["uid"] ?? `uid-${name}-${this.#version}`;
    this.#store(kind, name, { metadata: { name, namespace: "ns", uid }, spec: { ...spec }, status: { ...status } });
  }

  delete(kind: string, name: string): void {
    const object = this.objects.get(`${kind}/${name}`);
    if (!object) return;
    this.#version++;
    this.objects.delete(`${kind}/${name}`);
    this.log.push({ type: "DELETED", kind, object: structuredClone(object) });
  }

  of(kind: string): Stored[] {
    return [...this.objects].filter(([path]) => path.startsWith(`${kind}/`)).map(([, object]) => object);
  }

  /** A client whose requests pass `gate` on their way there and back; it may hold them up, or throw. */
  client(gate: () => Promise<void>): KubeHttp {
    const through = async <T>(act: () => T): Promise<T> => {
      await gate();
      const answer = act();
      await gate();
      return answer;
    };
    return {
      json: <T>(request: KubeRequest) => through(() => structuredClone(this.#serve(request)) as T),
      stream: ({ path }) =>
        through(() => {
          const items = this.of(path.split("/").at(-1) ?? "");
          const body = JSON.stringify({ metadata: { resourceVersion: `${this.#version}` }, items });
          return (async function* () {
            yield Buffer.from(body);
          })();
        }),
    };
  }

  #serve({ verb, path, body }: KubeRequest): Stored {
    const [kind = "", name = ""] = path
      .replace(/\/status$/, "")
      .split("/")
      .slice(-2);
    const object = this.objects.get(`${kind}/${name}`);
    if (!object) throw new DumpError("NOT_FOUND", `${kind} ${name} not found`);
    if (verb === "get") return object;
    const { metadata, status } = body as Stored;
    if (
      metadata["uid"] !== object.metadata["uid"] ||
      metadata["resourceVersion"] !== object.metadata["resourceVersion"]
    )
      throw new DumpError("API_CONFLICT", `${kind} ${name} was changed`);
    const merged = Object.entries({ ...object.status, ...status }).filter(([, value]) => value !== null);
    return this.#store(kind, name, { ...object, status: Object.fromEntries(merged) });
  }

  #store(kind: string, name: string, object: Stored): Stored {
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: `${++this.#version}` } };
    this.objects.set(`${kind}/${name}`, stored);
    this.log.push({ type: "MODIFIED", kind, object: structuredClone(stored) });
    this.onWrite();
    return stored;
  }
}
