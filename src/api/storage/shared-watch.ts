/** One watch of the storage for all clients, with its last changes remembered. */
import { performance } from "node:perf_hooks";
import { DumpError } from "../../domain/failures.ts";
import { Bell } from "./bell.ts";
import { gone } from "./keys.ts";
import type { ObjectStorage, StorageChange, StorageEvent } from "./storage.ts";

/** What one who reads slowly, or comes back, may have missed and still go on from here. */
const RECENT = 2000;
const RECENT_LENGTH = 8 << 20;
const PROGRESS_MS = 5000;

/** One watch of the storage, and its recent changes. */
interface UpstreamWatch {
  /** All changes after this revision are among the recent ones. */
  from: bigint;
  /** All changes up to here have been delivered. */
  now: bigint;
  readonly recent: StorageChange[];
  /** Of the recent ones together. */
  length: number;
  /** How it ended. */
  failure?: unknown;
}

/**
 * A storage of which all watches below `root` are one: hundreds of clients cost it no more than one does. Who begins before
 * what that one remembers has a watch of his own. Everything else goes through.
 */
export class SharedWatch implements ObjectStorage {
  readonly #storage: ObjectStorage;
  readonly #root: string;
  readonly #closing = new AbortController();
  readonly #bell = new Bell();
  #run: Promise<UpstreamWatch> | undefined;

  readonly get: ObjectStorage["get"] = (...asked) => this.#storage.get(...asked);
  readonly list: ObjectStorage["list"] = (...asked) => this.#storage.list(...asked);
  readonly create: ObjectStorage["create"] = (...asked) => this.#storage.create(...asked);
  readonly update: ObjectStorage["update"] = (...asked) => this.#storage.update(...asked);
  readonly delete: ObjectStorage["delete"] = (...asked) => this.#storage.delete(...asked);
  readonly usage: ObjectStorage["usage"] = (...asked) => this.#storage.usage(...asked);
  readonly ping: ObjectStorage["ping"] = (...asked) => this.#storage.ping(...asked);

  constructor(storage: ObjectStorage, root: string) {
    this.#storage = storage;
    this.#root = root;
  }

  async *watch(prefix: string, afterRevision: bigint, signal: AbortSignal): AsyncGenerator<StorageEvent> {
    signal.throwIfAborted();
    const run = prefix.startsWith(this.#root) ? await this.#running() : undefined;
    signal.throwIfAborted();
    if (run && (await this.#covers(run, afterRevision, signal)))
      yield* this.#shared(run, prefix, afterRevision, signal);
    else yield* this.#storage.watch(prefix, afterRevision, signal);
  }

  /** Whether the changes after that revision can be delivered from here; one that is still to come is the storage's to refuse. */
  async #covers({ from, now }: UpstreamWatch, revision: bigint, signal: AbortSignal): Promise<boolean> {
    if (revision < from) return false;
    return revision <= now || revision <= (await this.#storage.list(this.#root, { limit: 1 }, signal)).revision;
  }

  async *#shared(
    run: UpstreamWatch,
    prefix: string,
    afterRevision: bigint,
    signal: AbortSignal,
  ): AsyncGenerator<StorageEvent> {
    let at = afterRevision;
    for (let toldMs = performance.now(); ; ) {
      if (at < run.from) throw gone(at);
      for (const change of behind(run.recent, at)) {
        signal.throwIfAborted();
        if (change.key.startsWith(prefix)) yield change;
        at = change.revision;
      }
      if (behind(run.recent, at).length > 0) continue; // reading took its time
      if (run.failure !== undefined) throw run.failure;
      const dueMs = toldMs + PROGRESS_MS - performance.now();
      if (dueMs <= 0) {
        toldMs = performance.now();
        if (run.now > at) at = run.now;
        yield { type: "progress", revision: at };
      } else await this.#bell.heard(dueMs, signal);
    }
  }

  /** The watch that is running; begun by the first client that needs it, and again when it has failed. */
  #running(): Promise<UpstreamWatch> {
    this.#run ??= this.#begin().catch((error) => {
      this.#run = undefined;
      throw error;
    });
    return this.#run;
  }

  async #begin(): Promise<UpstreamWatch> {
    const { revision } = await this.#storage.list(this.#root, { limit: 1 }, this.#closing.signal);
    const run: UpstreamWatch = { from: revision, now: revision, recent: [], length: 0 };
    void this.#follow(run);
    return run;
  }

  async #follow(run: UpstreamWatch): Promise<void> {
    try {
      for await (const event of this.#storage.watch(this.#root, run.now, this.#closing.signal)) {
        if (event.type !== "progress") remember(run, event);
        run.now = event.revision;
        if (event.type !== "progress") this.#bell.ring();
      }
    } catch (error) {
      run.failure = error;
    }
    this.#run = undefined;
    this.#bell.ring();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new DumpError("STORAGE_UNAVAILABLE", "Cannot watch: the storage is closed"));
    await this.#storage[Symbol.asyncDispose]();
  }
}

/** What is oldest goes, when there are too many or they are too large; the last one stays, because all wait for it. */
function remember(run: UpstreamWatch, change: StorageChange): void {
  run.recent.push(change);
  run.length += lengthOf(change);
  while (run.recent.length > RECENT || (run.length > RECENT_LENGTH && run.recent.length > 1)) {
    const oldest = run.recent.shift();
    if (!oldest) return;
    run.length -= lengthOf(oldest);
    run.from = oldest.revision;
  }
}

const lengthOf = ({ value, previous }: StorageChange): number => value.length + (previous?.value.length ?? 0);

/** Those with later revisions. They are in order, and mostly few. */
function behind(changes: readonly StorageChange[], revision: bigint): readonly StorageChange[] {
  let first = changes.length;
  while (first > 0 && (changes[first - 1]?.revision ?? 0n) > revision) first--;
  return changes.slice(first);
}
