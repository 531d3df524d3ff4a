/** What a cluster has of a kind, kept up to date by an informer. */
import type { Follower } from "./informer.ts";
import type { KubeObject } from "./objects.ts";

/** What a mirror has of an object: what its users need, and what tells one version of it from another. */
export interface Mirrored {
  readonly name: string;
  /** "" for what has no namespace. */
  readonly namespace: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

/**
 * What we know of all objects of a kind, by namespace and name. Answers to our own writes come in by `put`, so that a watch
 * that is late does not make us take the same decision twice.
 */
export class Mirror<O extends KubeObject, M extends Mirrored> implements Follower<O> {
  readonly #essence: (object: O) => M;
  readonly #onChange: (namespace: string, name: string) => void;
  readonly #namespaces = new Map<string, Map<string, M>>();
  readonly #firstList = Promise.withResolvers<void>();
  #listed: Map<string, Set<string>> | undefined;
  #synced = false;

  /** @param essence  what to keep of an object. @param onChange  gets what is not as it was */
  constructor(essence: (object: O) => M, onChange: (namespace: string, name: string) => void) {
    this.#essence = essence;
    this.#onChange = onChange;
  }

  /** Whether a list has come in whole: before that, what is not here may still be there. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Ends with the first list, or when the signal aborts. */
  async whenSynced(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    if (!signal.aborted) await Promise.race([this.#firstList.promise, aborted]);
  }

  get(namespace: string, name: string): M | undefined {
    return this.#namespaces.get(namespace)?.get(name);
  }

  in(namespace: string): M[] {
    return [...(this.#namespaces.get(namespace)?.values() ?? [])];
  }

  namespaces(): string[] {
    return [...this.#namespaces.keys()];
  }

  /** A newer version of one object, wherever it is from. */
  put(object: O): void {
    const seen = this.#essence(object);
    const known = this.get(seen.namespace, seen.name);
    if (known?.uid === seen.uid && BigInt(known.resourceVersion) >= BigInt(seen.resourceVersion)) return;
    this.#set(seen);
  }

  remove(namespace: string, name: string, uid?: string): void {
    const objects = this.#namespaces.get(namespace);
    if (uid !== undefined && objects?.get(name)?.uid !== uid) return;
    if (!objects?.delete(name)) return;
    if (objects.size === 0) this.#namespaces.delete(namespace);
    this.#onChange(namespace, name);
  }

  /** A list counts whatever versions it has: they may be older ones, when a cluster was restored from a backup. */
  listed(object: O): void {
    const seen = this.#essence(object);
    this.#listed ??= new Map();
    const names = this.#listed.get(seen.namespace) ?? new Set();
    this.#listed.set(seen.namespace, names.add(seen.name));
    const known = this.get(seen.namespace, seen.name);
    if (known?.uid !== seen.uid || known.resourceVersion !== seen.resourceVersion) this.#set(seen);
  }

  listEnded(): void {
    for (const [namespace, objects] of this.#namespaces)
      for (const name of objects.keys()) if (!this.#listed?.get(namespace)?.has(name)) this.remove(namespace, name);
    this.#listed = undefined;
    this.#synced = true;
    this.#firstList.resolve();
  }

  listFailed(): void {
    this.#listed = undefined;
  }

  changed(object: O): void {
    this.put(object);
  }

  deleted({ metadata: { namespace = "", name, uid } }: O): void {
    this.remove(namespace, name, uid);
  }

  #set(seen: M): void {
    const objects = this.#namespaces.get(seen.namespace) ?? new Map<string, M>();
    this.#namespaces.set(seen.namespace, objects.set(seen.name, seen));
    this.#onChange(seen.namespace, seen.name);
  }
}
