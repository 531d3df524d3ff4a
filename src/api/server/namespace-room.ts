/** How much one namespace may have, so that none takes the storage from the others. */
import type { ObjectStorage } from "../storage/storage.ts";
import { GROUP, RESOURCE } from "./kind.ts";
import { LIMITS } from "./limits.ts";
import { forbidden } from "./status-error.ts";
import type { Keys } from "./stored.ts";
import { TimedCache } from "./timed-cache.ts";

/** What is known of a namespace, with what has been written since. */
interface NamespaceUsage {
  count: number;
  bytes: number;
  readonly atMs: number;
}

/** Others may write, too; who deletes need not wait for long to see that there is room. */
const KEEP_MS = 30_000;
const FRESH_MS = 1000;

export class NamespaceRoom {
  readonly #storage: ObjectStorage;
  readonly #keys: Keys;
  readonly #known = new TimedCache<NamespaceUsage>(() => KEEP_MS);

  constructor(storage: ObjectStorage, keys: Keys) {
    this.#storage = storage;
    this.#keys = keys;
  }

  /**
   * Counts what is about to be written. What is there may be more, from before there were limits, but it may not grow.
   * @param objects  1 for a new one
   * @param bytes    by which it grows; nothing to take where it shrinks
   * @throws StatusError 403
   */
  async take(namespace: string, objects: 0 | 1, bytes: number, signal?: AbortSignal): Promise<void> {
    if (objects === 0 && bytes <= 0) return;
    const ask = async (): Promise<NamespaceUsage> => ({
      ...(await this.#storage.usage(this.#keys.in(namespace), signal)),
      atMs: performance.now(),
    });
    let known = await this.#known.get(namespace, ask);
    const isOver = () => known.count + objects > LIMITS.namespaceObjects || known.bytes + bytes > LIMITS.namespaceBytes;
    if (isOver() && performance.now() - known.atMs > FRESH_MS) {
      this.#known.forget(namespace);
      known = await this.#known.get(namespace, ask);
    }
    if (isOver()) throw exceeded(known);
    known.count += objects;
    known.bytes += bytes;
  }
}

const exceeded = ({ count, bytes }: NamespaceUsage) =>
  forbidden(
    { group: GROUP, resource: RESOURCE },
    `exceeded limit of the namespace: ${count} of ${LIMITS.namespaceObjects} objects, ${bytes} of ${LIMITS.namespaceBytes} bytes; delete some`,
  );
