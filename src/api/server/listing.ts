/** Lists: what a query asks for, pages of it, and the token by which the next page is asked for. */
import { isCode } from "../../domain/failures.ts";
import type { Listed, ObjectStorage, PageQuery, StoredItem } from "../storage/storage.ts";
import type { CoredumpEndpoint } from "./kind.ts";
import { LIMITS, quoted } from "./limits.ts";
import type { Selector } from "./selectors.ts";
import { badRequest, expired, StatusError } from "./status-error.ts";
import { endpointOf, type Keys } from "./stored.ts";

export interface ListQuery {
  readonly limit: number | undefined;
  readonly continueToken: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly resourceVersionMatch: string | undefined;
}

export interface ListPage {
  readonly revision: bigint;
  readonly continueToken: string | undefined;
  /** Not known where something was selected. */
  readonly remaining: number | undefined;
  /** All of it, piece by piece: a list of ten thousand objects never stands in memory as a whole. */
  readonly batches: Iterable<readonly StoredItem[]> | AsyncIterable<readonly StoredItem[]>;
  /** Whether there is but one piece. */
  readonly isShort: boolean;
}

/** Objects in one piece. */
const BATCH = 500;

/** @throws StatusError 400, 410, 504; the batches throw as the storage does */
export async function listed(
  storage: ObjectStorage,
  keys: Keys,
  namespace: string | undefined,
  query: ListQuery,
  selection: Selector,
  signal: AbortSignal,
): Promise<ListPage> {
  const prefix = keys.in(namespace);
  const { after, revision: asOf } = startOf(query, prefix);
  const read = (page: PageQuery) => storage.list(prefix, page, signal);
  const { limit } = query;
  const size = limit === undefined || selection.selects ? BATCH : limit;
  const first = await read({ after, limit: size, revision: asOf }).catch((error) => {
    throw isCode(error, "API_GONE") ? tooOld(query) : error;
  });
  if (!query.continueToken) assertKnown(query, first.revision);
  const batches = selected(following(first, size, read), selection);
  const { revision } = first;
  if (limit === undefined)
    return { revision, batches, isShort: first.remaining === 0, continueToken: undefined, remaining: undefined };
  const { items, isAll } = selection.selects
    ? await taken(batches, limit)
    : { items: first.items, isAll: first.remaining === 0 };
  return {
    ...{ revision, batches: [items], isShort: true },
    continueToken: isAll ? undefined : tokenOf(revision, items.at(-1)?.key.slice(prefix.length) ?? ""),
    remaining: isAll || selection.selects ? undefined : first.remaining,
  };
}

/** That piece, and all after it, as of its revision. */
async function* following(first: Listed, limit: number, read: (page: PageQuery) => Promise<Listed>) {
  yield first.items;
  for (let { items, remaining } = first; remaining > 0; ) {
    ({ items, remaining } = await read({ after: items.at(-1)?.key, limit, revision: first.revision }));
    yield items;
  }
}

async function* selected(batches: AsyncIterable<readonly StoredItem[]>, selection: Selector) {
  for await (const items of batches)
    yield selection.selects ? items.filter((item) => isSelected(item, selection)) : items;
}

/** So many, and whether those are all. */
async function taken(batches: AsyncIterable<readonly StoredItem[]>, limit: number) {
  const items: StoredItem[] = [];
  for await (const batch of batches) {
    items.push(...batch);
    if (items.length > limit) return { items: items.slice(0, limit), isAll: false };
  }
  return { items, isAll: true };
}

const isSelected = ({ value, revision }: StoredItem, selection: Selector): boolean =>
  selects(endpointOf(value, revision), selection);

export const selects = ({ metadata }: CoredumpEndpoint, { labels, fields }: Selector): boolean =>
  fields.matches(metadata) && labels(metadata.labels ?? {});

/** Where a list begins, and as of which revision it is; undefined: as of now. */
function startOf(query: ListQuery, prefix: string): { after: string | undefined; revision: bigint | undefined } {
  const { continueToken, resourceVersion, resourceVersionMatch: match, limit } = query;
  const version = versionIn(resourceVersion);
  if (match !== undefined && match !== "Exact" && match !== "NotOlderThan")
    throw badRequest(`resourceVersionMatch must be Exact or NotOlderThan, not ${quoted(match)}`);
  if (match !== undefined && version === undefined)
    throw badRequest("resourceVersionMatch is forbidden unless resourceVersion is provided");
  if (continueToken !== undefined) {
    if (match !== undefined) throw badRequest("resourceVersionMatch is forbidden when continue is provided");
    if (version !== undefined && version !== 0n)
      throw badRequest("specifying resource version is not allowed when using continue");
    const { revision, after } = startIn(continueToken);
    return { revision, after: `${prefix}${after}` };
  }
  if (match === "Exact" && version === 0n)
    throw badRequest('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"');
  const isExact = match === "Exact" || (match === undefined && limit !== undefined && (version ?? 0n) > 0n);
  return { after: undefined, revision: isExact ? version : undefined };
}

/** No client waits for a revision that may never come (a cluster restored from a backup). */
function assertKnown({ resourceVersion }: ListQuery, now: bigint): void {
  const version = versionIn(resourceVersion) ?? 0n;
  if (version > now) throw tooLarge(version, now);
}

const tooLarge = (version: bigint, now: bigint) =>
  new StatusError(504, "Timeout", `Timeout: Too large resource version: ${version}, current: ${now}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });

/** @returns undefined when none is given. @throws StatusError 400 */
export function versionIn(text: string | undefined): bigint | undefined {
  if (text === undefined || text === "") return undefined;
  if (!/^\d{1,18}$/.test(text)) throw badRequest(`resourceVersion: Invalid value: ${quoted(text)}`);
  return BigInt(text);
}

const tooOld = ({ continueToken }: ListQuery) =>
  expired(
    continueToken === undefined
      ? "The resourceVersion for the provided list is too old."
      : "The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.",
  );

const tokenOf = (revision: bigint, after: string): string =>
  Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: String(revision), start: after })).toString("base64url");

/** A made-up token gets a list of what is below the same prefix, and no more. */
function startIn(token: string): { revision: bigint; after: string } {
  try {
    if (token.length > LIMITS.continueLength) throw new RangeError("too long");
    const { rv, start } = JSON.parse(Buffer.from(token, "base64url").toString()) as Record<string, unknown>;
    if (
      typeof rv === "string" &&
      /^[1-9]\d{0,17}$/.test(rv) &&
      typeof start === "string" &&
      /^[\x21-\x7e]*$/.test(start)
    )
      return { revision: BigInt(rv), after: start };
  } catch {
    // said below
  }
  throw badRequest("continue key is not valid: this server did not issue it");
}
