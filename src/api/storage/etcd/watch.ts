/** A watch that outlives its connections: each one goes on after the last change that the one before delivered. */
import { performance } from "node:perf_hooks";
import { DumpError } from "../../../domain/failures.ts";
import { backoffMs, pause } from "../../../system/backoff.ts";
import { endOf, gone } from "../keys.ts";
import type { StorageEvent } from "../storage.ts";
import type { EtcdClient } from "./client.ts";
import { bytes, itemOf, type WatchResponse } from "./messages.ts";

/** How often etcd is asked how far it is. */
const PROGRESS_MS = 5000;
const [FIRST_PAUSE_MS, MOST_PAUSE_MS] = [100, 3000];

/** @param signal  also ends it when the storage is closed */
export async function* watchEtcd(
  client: EtcdClient,
  prefix: string,
  afterRevision: bigint,
  signal: AbortSignal,
): AsyncGenerator<StorageEvent> {
  let revision = afterRevision;
  let heardMs = performance.now();
  for (let failures = 0; ; failures++) {
    try {
      for await (const event of connection(client, prefix, revision, signal)) {
        failures = 0;
        revision = event.revision;
        yield event;
        heardMs = performance.now(); // the reader takes its time
      }
    } catch (error) {
      signal.throwIfAborted();
      const failure = client.failure(error);
      if (failure.code !== "STORAGE_UNAVAILABLE") throw failure;
      if (performance.now() - heardMs > client.patience.returnMs) throw failure;
    }
    await pause(backoffMs(failures, MOST_PAUSE_MS, FIRST_PAUSE_MS), signal);
    signal.throwIfAborted();
  }
}

/** Until it breaks. */
async function* connection(
  client: EtcdClient,
  prefix: string,
  afterRevision: bigint,
  signal: AbortSignal,
): AsyncGenerator<StorageEvent> {
  const stream = await client.watch(signal);
  const cancel = (): void => stream.cancel();
  signal.addEventListener("abort", cancel);
  const unanswered = setTimeout(cancel, client.patience.answerMs);
  const asking = setInterval(() => stream.write({ progressRequest: {} }), PROGRESS_MS);
  try {
    signal.throwIfAborted();
    const range = { key: bytes(prefix), rangeEnd: bytes(endOf(prefix)) };
    stream.write({
      createRequest: { ...range, startRevision: `${afterRevision + 1n}`, progressNotify: true, prevKv: true },
    });
    for await (const response of stream as AsyncIterable<WatchResponse>) {
      if (response.canceled) throw cancellation(response, afterRevision);
      if (response.created) {
        clearTimeout(unanswered);
        await mustHaveSeen(client, range.key, afterRevision, response, signal);
      } else if (response.events.length > 0) yield* eventsOf(response);
      else yield { type: "progress", revision: BigInt(response.header.revision) };
    }
  } finally {
    clearTimeout(unanswered);
    clearInterval(asking);
    signal.removeEventListener("abort", cancel);
    stream.cancel();
  }
}

function cancellation({ compactRevision, cancelReason }: WatchResponse, afterRevision: bigint): DumpError {
  if (compactRevision !== "0") return gone(afterRevision);
  return new DumpError("STORAGE_UNAVAILABLE", `Cannot watch etcd: ${cancelReason || "it cancelled the watch"}`);
}

/**
 * An etcd that was restored from an older state would wait for its revisions to come to ours, without a word. (A member that
 * only lags behind the others is asked for the truth.)
 */
async function mustHaveSeen(
  client: EtcdClient,
  key: Buffer,
  revision: bigint,
  { header }: WatchResponse,
  signal: AbortSignal,
): Promise<void> {
  if (BigInt(header.revision) >= revision) return;
  const now = await client.call("KV/Range", { key, countOnly: true }, signal);
  if (BigInt(now.header.revision) < revision) throw gone(revision);
}

function* eventsOf({ events }: WatchResponse): Generator<StorageEvent> {
  for (const { type, kv, prevKv } of events) {
    const { key, value, revision } = itemOf(kv);
    const before = prevKv ? itemOf(prevKv) : undefined;
    // Compacted before we came to it: what the change means for a selector is not known any more.
    if (!before && (type === "DELETE" || kv.version !== "1")) throw gone(revision);
    const previous = before && { value: before.value, revision: before.revision };
    if (type === "DELETE") yield { type: "delete", key, value: previous?.value ?? "", revision, previous };
    else yield { type: "put", key, value, revision, previous };
  }
}
