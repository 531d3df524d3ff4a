/** Watches: the storage's changes as events of those objects that are selected. */
import { isCode } from "../../domain/failures.ts";
import type { ObjectStorage, StorageChange } from "../storage/storage.ts";
import { type ListQuery, listed, selects } from "./listing.ts";
import type { Selector } from "./selectors.ts";
import { badRequest, expired } from "./status-error.ts";
import { endpointOf, type Keys } from "./stored.ts";

export interface WatchQuery {
  readonly version: bigint | undefined;
  readonly bookmarks: boolean;
  /** Undefined: as the version says. */
  readonly sendInitialEvents: boolean | undefined;
  readonly resourceVersionMatch: string | undefined;
}

export type Event =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly value: string; readonly revision: bigint }
  | { readonly type: "BOOKMARK"; readonly revision: bigint; readonly initialEventsEnd: boolean };

/**
 * For ever, until the signal aborts.
 * @throws StatusError 410, 504; DumpError as the storage does
 */
export async function* watched(
  storage: ObjectStorage,
  keys: Keys,
  namespace: string | undefined,
  query: WatchQuery,
  selection: Selector,
  signal: AbortSignal,
): AsyncGenerator<Event> {
  let from = query.version ?? 0n;
  if (from === 0n && query.sendInitialEvents === false)
    from = (await storage.list(keys.in(namespace), { limit: 1 }, signal)).revision;
  else if (from === 0n || query.sendInitialEvents === true) {
    const { revision, batches } = await listed(storage, keys, namespace, asOfNow(query), selection, signal);
    from = revision;
    for await (const items of batches)
      for (const { value, revision } of items) yield { type: "ADDED", value, revision };
    if (query.sendInitialEvents === true) yield { type: "BOOKMARK", revision, initialEventsEnd: true };
  }
  try {
    for await (const change of storage.watch(keys.in(namespace), from, signal)) {
      if (change.type !== "progress") yield* eventOf(change, keys, selection);
      else if (query.bookmarks) yield { type: "BOOKMARK", revision: change.revision, initialEventsEnd: false };
    }
  } catch (error) {
    throw isCode(error, "API_GONE") ? expired(`too old resource version: ${from}`) : error;
  }
}

/** All that is there, of no earlier version than was asked for. */
const asOfNow = ({ version }: WatchQuery): ListQuery => ({
  ...{ limit: undefined, continueToken: undefined },
  ...{ resourceVersion: String(version ?? 0n), resourceVersionMatch: "NotOlderThan" },
});

/** @throws StatusError 400 */
export function assertSensible({ bookmarks, sendInitialEvents, resourceVersionMatch: match }: WatchQuery): void {
  if (sendInitialEvents === undefined) {
    if (match !== undefined)
      throw badRequest("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    return;
  }
  if (match !== "NotOlderThan") throw badRequest('sendInitialEvents requires resourceVersionMatch "NotOlderThan"');
  if (sendInitialEvents && !bookmarks) throw badRequest("sendInitialEvents requires allowWatchBookmarks");
}

/** A watcher with a label selector sees an object come and go as its labels change. */
function* eventOf(
  { type, key, value, revision, previous }: StorageChange,
  named: Keys,
  selection: Selector,
): Generator<Event> {
  if (!selection.fields.matches(named.named(key))) return; // and nothing of it, whatever it was before
  const matched = (text: string): boolean => !selection.selects || selects(endpointOf(text, revision), selection);
  const is = type === "put" && matched(value);
  const was = previous !== undefined && matched(previous.value);
  if (is) yield { type: was ? "MODIFIED" : "ADDED", value, revision };
  else if (was) yield { type: "DELETED", value: previous?.value ?? value, revision };
}
