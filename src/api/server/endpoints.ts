/**
 * The objects: reading and writing them by the rules of strategy.ts. A write that another one overtook is tried again on the
 * newer version, unless the writer said which version was meant.
 */
import { randomInt, randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { isCode } from "../../domain/failures.ts";
import type { ObjectStorage } from "../storage/storage.ts";
import type { UidLookup } from "./cluster.ts";
import { type CoredumpEndpoint, GROUP, KIND, RESOURCE } from "./kind.ts";
import { clipped } from "./limits.ts";
import { assertSize } from "./measure.ts";
import { NamespaceRoom } from "./namespace-room.ts";
import { alreadyExists, badRequest, invalid, modified, notFound, StatusError } from "./status-error.ts";
import { endpointOf, type Keys, storedText } from "./stored.ts";
import { created, type Draft, dying, expect, isGone } from "./strategy.ts";

/** An object and its version: the one from before, when nothing was written. */
export interface Written {
  readonly endpoint: CoredumpEndpoint;
  readonly revision: bigint;
}

interface Changed extends Written {
  readonly gone: boolean;
}

interface WriteOptions {
  /** Everything but the write itself. */
  readonly dryRun: boolean;
  readonly signal?: AbortSignal | undefined;
}

interface Preconditions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

const ATTEMPTS = 8;
const SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"; // no vowels, so no words
const GENERATED_PREFIX = 58;

export class Endpoints {
  readonly #storage: ObjectStorage;
  readonly #keys: Keys;
  readonly #surroundings: UidLookup;
  readonly #room: NamespaceRoom;

  constructor(storage: ObjectStorage, keys: Keys, surroundings: UidLookup) {
    this.#storage = storage;
    this.#keys = keys;
    this.#surroundings = surroundings;
    this.#room = new NamespaceRoom(storage, keys);
  }

  /** @throws StatusError 404 */
  async get(namespace: string, name: string, signal?: AbortSignal): Promise<Written> {
    const stored = await this.#storage.get(this.#keys.of(namespace, name), signal);
    if (!stored) throw notFound({ group: GROUP, resource: RESOURCE, name });
    return { endpoint: endpointOf(stored.value, stored.revision), revision: stored.revision };
  }

  /** @throws StatusError 403 (also when the namespace has too many), 404 for the namespace, 404 for the pod, 409, 413, 422 */
  async create(namespace: string, draft: Draft, options: WriteOptions): Promise<Written> {
    const { name, generateName } = draft.metadata;
    const namespaceUid = await this.#surroundings.namespaceUid(namespace, options.signal);
    if (name) return await this.#create(namespace, name, namespaceUid, draft, options);
    const message = "Required value: name or generateName is required";
    if (!generateName)
      throw invalid(KIND, "", GROUP, [{ reason: "FieldValueRequired", message, field: "metadata.name" }]);
    for (let attempt = 1; ; attempt++) {
      const generated = `${generateName.slice(0, GENERATED_PREFIX)}${randomSuffix()}`;
      try {
        return await this.#create(namespace, generated, namespaceUid, draft, options);
      } catch (error) {
        if (!(error instanceof StatusError) || error.status.reason !== "AlreadyExists" || attempt === ATTEMPTS)
          throw error;
      }
    }
  }

  async #create(
    namespace: string,
    name: string,
    namespaceUid: string,
    draft: Draft,
    { dryRun, signal }: WriteOptions,
  ): Promise<Written> {
    const key = this.#keys.of(namespace, name);
    const what = { group: GROUP, resource: RESOURCE, name };
    const creation = { name, namespace, namespaceUid, uid: randomUUID(), now: timestamp() };
    created(draft, { ...creation, podUid: draft.spec.poduid || "unknown" }); // all that can be wrong of itself, before others are asked
    if (await this.#storage.get(key, signal)) throw alreadyExists(what);
    const podUid =
      draft.spec.poduid || (await this.#surroundings.podUid(namespace, draft.spec.podname || name, signal));
    const endpoint = created(draft, { ...creation, podUid });
    const text = storedText(endpoint);
    assertSize(text);
    if (dryRun) return { endpoint, revision: 0n };
    await this.#room.take(namespace, 1, key.length + Buffer.byteLength(text), signal);
    try {
      const revision = await this.#storage.create(key, text, signal);
      return { endpoint, revision };
    } catch (error) {
      throw isConflict(error) ? alreadyExists(what) : error;
    }
  }

  /**
   * @param change  gets the object as it is, and says what it is to be. It may be asked more than once
   * @returns its last version, when it has gone; else its present one
   * @throws StatusError 403, 404, 409, 413, and what `change` throws
   */
  async change(
    namespace: string,
    name: string,
    change: (old: CoredumpEndpoint) => { readonly next: CoredumpEndpoint; readonly expected: Preconditions },
    { dryRun, signal }: WriteOptions,
  ): Promise<Changed> {
    for (let attempt = 1; ; attempt++) {
      const { endpoint: old, revision } = await this.get(namespace, name, signal);
      const { next, expected } = change(old);
      expect(old, revision, expected);
      const gone = isGone(next);
      try {
        if (!gone) return { endpoint: next, revision: await this.#write(next, old, revision, dryRun, signal), gone };
        if (!dryRun) await this.#storage.delete(this.#keys.of(namespace, name), revision, signal);
        return { endpoint: next, revision, gone };
      } catch (error) {
        if (!isConflict(error) || expected.resourceVersion || attempt === ATTEMPTS) throw this.#worded(error, name);
      }
    }
  }

  /** Once no finalizer remains. @returns and throws as change() does */
  delete(
    namespace: string,
    name: string,
    { preconditions: expected, propagation }: { preconditions: Preconditions; propagation: string | undefined },
    options: WriteOptions,
  ): Promise<Changed> {
    return this.change(namespace, name, (old) => ({ next: dying(old, timestamp(), propagation), expected }), options);
  }

  /** Nothing, when nothing changes. @throws StatusError 413 @returns the version that there is then */
  async #write(
    next: CoredumpEndpoint,
    old: CoredumpEndpoint,
    revision: bigint,
    dryRun: boolean,
    signal?: AbortSignal,
  ): Promise<bigint> {
    const [text, before] = [storedText(next), storedText(old)];
    // What says that an object is to go is always taken: a time, and perhaps a finalizer.
    const isGoing = next.metadata.deletionTimestamp !== old.metadata.deletionTimestamp;
    if (!isGoing) assertSize(text, before);
    if (dryRun || text === before || isDeepStrictEqual(bare(next), bare(old))) return revision;
    const { namespace, name } = old.metadata;
    if (!isGoing) await this.#room.take(namespace, 0, Buffer.byteLength(text) - Buffer.byteLength(before), signal);
    return await this.#storage.update(this.#keys.of(namespace, name), text, revision, signal);
  }

  #worded(error: unknown, name: string): unknown {
    const what = { group: GROUP, resource: RESOURCE, name };
    if (isConflict(error)) return modified(what);
    return isCode(error, "NOT_FOUND") ? notFound(what) : error;
  }
}

/** @throws StatusError 400 when a body names another object than the path does */
export function assertSameName({ metadata }: Draft, namespace: string, name?: string): void {
  if (metadata.namespace && metadata.namespace !== namespace)
    throw badRequest(
      `the namespace of the object (${clipped(metadata.namespace)}) does not match the namespace of the request (${namespace})`,
    );
  if (name !== undefined && metadata.name && metadata.name !== name)
    throw badRequest(`the name of the object (${clipped(metadata.name)}) does not match the name on the URL (${name})`);
}

const isConflict = (error: unknown): boolean => isCode(error, "API_CONFLICT");

/** Without its version. */
const bare = ({ metadata: { resourceVersion: _, ...metadata }, ...rest }: CoredumpEndpoint) => ({ ...rest, metadata });

const randomSuffix = () => Array.from({ length: 5 }, () => SUFFIX_ALPHABET[randomInt(SUFFIX_ALPHABET.length)]).join("");

/** As Kubernetes writes times: to the second. */
const timestamp = (): string => new Date().toISOString().replace(/\.\d{3}Z$/, "Z");
