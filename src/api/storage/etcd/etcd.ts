/**
 * Objects in etcd v3. A resourceVersion is etcd's revision; a write is one transaction that compares the key's revision
 * first, so that of two writers one is refused, wherever they run.
 */
import type { StorageSettings } from "../../../config/storage-options.ts";
import { DumpError } from "../../../domain/failures.ts";
import { changed, endOf, exists, notThere } from "../keys.ts";
import type {
  Listed,
  ObjectStorage,
  PageQuery,
  StorageEvent,
  StorageUsage,
  StoredItem,
  StoredObject,
} from "../storage.ts";
import { EtcdClient, type EtcdPatience } from "./client.ts";
import { keepCompacting } from "./compaction.ts";
import { bytes, itemOf, type TxnResponse } from "./messages.ts";
import { watchEtcd } from "./watch.ts";

/** One answer's worth of objects. */
const PAGE = 500;
const USAGE_PAGE = 100;
/** Of a key that is not there. */
const NONE = 0n;

/** @throws DumpError SETTINGS_INVALID. It may come up later than we do */
export async function openEtcd(settings: StorageSettings, patience?: Partial<EtcdPatience>): Promise<EtcdStorage> {
  const client = await EtcdClient.open(settings, patience);
  const storage = new EtcdStorage(client, settings.etcdPrefix);
  if (settings.etcdCompactionMs > 0) void keepCompacting(client, settings.etcdCompactionMs, storage.closing);
  return storage;
}

class EtcdStorage implements ObjectStorage {
  readonly #client: EtcdClient;
  readonly #prefix: string;
  readonly #closing = new AbortController();

  constructor(client: EtcdClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  async get(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    const { kvs } = await this.#client.call("KV/Range", { key: bytes(key) }, this.#until(signal));
    const item = kvs.map(itemOf)[0];
    return item && { value: item.value, revision: item.revision };
  }

  async list(prefix: string, page: PageQuery = {}, signal?: AbortSignal): Promise<Listed> {
    const until = this.#until(signal);
    const rangeEnd = bytes(endOf(prefix));
    const items: StoredItem[] = [];
    let { revision, after } = page;
    for (;;) {
      const limit = Math.min(page.limit === undefined ? PAGE : page.limit - items.length, PAGE);
      const key = bytes(after === undefined ? prefix : `${after}\0`);
      const asked = { key, rangeEnd, limit, revision: `${revision ?? 0}` };
      const { header, kvs, count } = await this.#client.call("KV/Range", asked, until);
      items.push(...kvs.map(itemOf));
      revision ??= BigInt(header.revision);
      after = items.at(-1)?.key;
      const remaining = Number(count) - kvs.length;
      if (remaining <= 0 || items.length === page.limit) return { items, revision, remaining };
    }
  }

  async create(key: string, value: string, signal?: AbortSignal): Promise<bigint> {
    const answer = await this.#ifAt(NONE, key, putting(key, value), signal);
    if (!answer.succeeded) throw exists(key);
    return BigInt(answer.header.revision);
  }

  async update(key: string, value: string, expectedRevision: bigint, signal?: AbortSignal): Promise<bigint> {
    return done(key, expectedRevision, await this.#ifAt(expectedRevision, key, putting(key, value), signal));
  }

  async delete(key: string, expectedRevision: bigint, signal?: AbortSignal): Promise<bigint> {
    const deletion = { requestDeleteRange: { key: bytes(key) } };
    return done(key, expectedRevision, await this.#ifAt(expectedRevision, key, deletion, signal));
  }

  watch(prefix: string, afterRevision: bigint, signal: AbortSignal): AsyncIterable<StorageEvent> {
    return watchEtcd(this.#client, prefix, afterRevision, this.#until(signal));
  }

  /** A range has no sum: all is read, in pages, and only counted. */
  async usage(prefix: string, signal?: AbortSignal): Promise<StorageUsage> {
    const until = this.#until(signal);
    const rangeEnd = bytes(endOf(prefix));
    let [key, count, sum] = [bytes(prefix), 0, 0];
    for (;;) {
      const { kvs } = await this.#client.call("KV/Range", { key, rangeEnd, limit: USAGE_PAGE }, until);
      count += kvs.length;
      for (const each of kvs) sum += each.key.length + each.value.length;
      const last = kvs.at(-1);
      if (!last || kvs.length < USAGE_PAGE) return { count, bytes: sum };
      key = Buffer.concat([last.key, Buffer.of(0)]);
    }
  }

  async ping(signal?: AbortSignal): Promise<void> {
    const health = { key: bytes(`${this.#prefix}/`), countOnly: true };
    await this.#client.call("KV/Range", health, this.#until(signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new DumpError("STORAGE_UNAVAILABLE", "Cannot use etcd: the storage is closed"));
    this.#client.close();
  }

  /** Does it if the key has that revision; else answers what is there. */
  #ifAt(revision: bigint, key: string, operation: object, signal: AbortSignal | undefined): Promise<TxnResponse> {
    const transaction = {
      compare: [{ result: "EQUAL", target: "MOD", key: bytes(key), modRevision: `${revision}` }],
      success: [operation],
      failure: [{ requestRange: { key: bytes(key) } }],
    };
    return this.#client.call("KV/Txn", transaction, this.#until(signal));
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([signal, this.closing]) : this.closing;
  }
}

const putting = (key: string, value: string) => ({ requestPut: { key: bytes(key), value: bytes(value) } });

function done(key: string, expected: bigint, { succeeded, header, responses }: TxnResponse): bigint {
  if (succeeded) return BigInt(header.revision);
  throw responses[0]?.responseRange?.kvs.length ? changed(key, expected) : notThere(key);
}
