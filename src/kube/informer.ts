/**
 * Keeps up with all objects of a kind: one list, then a watch that goes on from it for ever. A watch that ends goes on from
 * the last version seen (bookmarks keep that fresh); there is a new list only when the server no longer knows that version,
 * or, now and then, where watching is not granted or keeps failing while lists do not.
 */
import { isCode } from "../domain/failures.ts";
import { backoffMs, pause } from "../system/backoff.ts";
import { failureOf } from "./failures.ts";
import type { KubeHttp } from "./http.ts";
import type { KubeObject } from "./objects.ts";
import { readList } from "./read-list.ts";

/**
 * The receiver of what is seen. A list comes as `listed` for each of its objects, then `listEnded`: what was not listed is gone; or
 * `listFailed`: it comes again from its beginning.
 */
export interface Follower<O extends KubeObject> {
  listed(object: O): void;
  /** @param version  of the list */
  listEnded(version: string): void;
  listFailed?(): void;
  changed(object: O): void;
  deleted(object: O): void;
}

export interface Kind {
  /** As RBAC calls it. */
  readonly resource: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Leaves out spec and status. */
  readonly metadataOnly?: true;
}

/** Of a watch; the server sends a bookmark every minute or so, hence silence is a connection that died. */
const watchS = () => 300 + Math.floor(Math.random() * 300); // of a thousand nodes not all come at once
const SILENCE_MS = 150_000;
/** After so many watches in a row that brought nothing (half a minute of failures), lists take their place. */
const PATIENCE = 8;

/**
 * Runs until the signal aborts. Failures are reported and tried again, with back-off.
 * @param onProblem  gets what went wrong, and undefined as soon as all is well again
 * @param pauseMs    how long to wait after so many failures in a row
 */
export async function follow<O extends KubeObject>(
  http: KubeHttp,
  kind: Kind,
  follower: Follower<O>,
  onProblem: (problem: unknown) => void,
  signal: AbortSignal,
  pauseMs: (failures: number) => number = backoffMs,
): Promise<void> {
  let version: string | undefined;
  let isDoubtful = false; // after an outage the cluster may be in another state (restored)
  for (let failures = 0; !signal.aborted; ) {
    try {
      if (isDoubtful && version && (await isOlder(http, kind, version, signal))) version = undefined;
      isDoubtful = false;
      version ??= await list(http, kind, follower, signal);
      const lines = linesOf(await openWatch(http, kind, version, signal));
      onProblem(undefined);
      for await (const line of lines) {
        version = take(kind, JSON.parse(line) as WatchEvent<O>, follower);
        failures = 0;
      }
    } catch (error) {
      if (signal.aborted) return;
      isDoubtful = isCode(error, "API_UNAVAILABLE");
      if (isCode(error, "API_GONE")) version = undefined;
      else onProblem(error);
      // Not granted: no use in trying soon.
      if (version !== undefined && isCode(error, "API_DENIED")) failures = Math.max(failures, PATIENCE);
    }
    if (failures >= PATIENCE) version &&= await list(http, kind, follower, signal).catch(() => version);
    await pause(pauseMs(failures++), signal);
  }
}

/** All of them as they are now. @returns the version from which a watch goes on */
export async function list<O extends KubeObject>(
  http: KubeHttp,
  kind: Kind,
  follower: Pick<Follower<O>, "listed" | "listEnded" | "listFailed">,
  signal: AbortSignal,
): Promise<string> {
  const body = await http.stream({ verb: "list", ...kind, ...accepting(kind, "List"), signal });
  const head = await readList(body, (item) => follower.listed(item as O)).catch((error) => {
    follower.listFailed?.();
    throw error;
  });
  const version = head.metadata?.resourceVersion ?? "";
  follower.listEnded(version);
  return version;
}

/**
 * Whether what the server has is older than `version`: it was restored from a backup. A watch from a version that is still
 * to come is not refused (seen with Kubernetes 1.36), but tells nothing until versions have grown past it.
 */
async function isOlder(http: KubeHttp, kind: Kind, version: string, signal: AbortSignal): Promise<boolean> {
  const query = { ...kind.query, limit: "1" };
  const body = await http.stream({ verb: "list", ...kind, ...accepting(kind, "List"), query, signal });
  const now = (await readList(body, () => undefined)).metadata?.resourceVersion ?? "";
  return /^\d+$/.test(now) && /^\d+$/.test(version) && BigInt(now) < BigInt(version);
}

/** The server ends it every few minutes; that is not a failure. */
function openWatch(http: KubeHttp, kind: Kind, resourceVersion: string, signal: AbortSignal) {
  const query = {
    ...kind.query,
    watch: "true",
    allowWatchBookmarks: "true",
    timeoutSeconds: `${watchS()}`,
    resourceVersion,
  };
  return http.stream({ verb: "watch", ...kind, ...accepting(kind, ""), query, idleMs: SILENCE_MS, signal });
}

const accepting = ({ metadataOnly }: Kind, list: "List" | ""): { accept?: string } =>
  metadataOnly ? { accept: `application/json;as=PartialObjectMetadata${list};g=meta.k8s.io;v=v1` } : {};

interface WatchEvent<O> {
  readonly type: string;
  readonly object: O;
}

/** @returns the version from which to go on */
function take<O extends KubeObject>(
  { resource }: Kind,
  { type, object }: WatchEvent<O>,
  follower: Follower<O>,
): string {
  if (type === "ERROR") {
    const { code } = object as { code?: number };
    throw failureOf({ verb: "watch", resource }, code ?? 0, JSON.stringify(object));
  }
  if (type === "ADDED" || type === "MODIFIED") follower.changed(object);
  if (type === "DELETED") follower.deleted(object);
  return object.metadata.resourceVersion;
}

/** Whole lines only: one that a broken connection cut short comes again. */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      yield Buffer.concat([...rest, chunk.subarray(from, end)]).toString();
      rest = [];
      from = end + 1;
    }
    rest.push(chunk.subarray(from));
  }
}
