import { DumpError } from "../domain/failures.ts";
import type { OpenBundle } from "./bundles.ts";
import { coredumpsOf, namespaceUidOf, type StoredCoredump } from "./coredumps.ts";
import { type Deps, type Download, digestOf, type EndpointRequest } from "./download.ts";
import { downloadOf, openBundle } from "./dump.ts";
import { refusalOf } from "./refusal.ts";
import { tarOf } from "./tar.ts";

/** Bundles that are opened at once. */
const AT_ONCE = 8;

/**
 * A tar of what the processes of one pod left: `<container>/<file>.tar.zst`, or the plain cores. Made on the way, and the
 * same bytes for the same bundles; a newer crash makes it another one.
 *
 * @throws DumpError as openDump() does; NOT_FOUND when there is nothing, the first dump's refusal when none can be served
 */
export async function openEndpoint(request: EndpointRequest, deps: Deps, signal: AbortSignal): Promise<Download> {
  const { namespace, namespaceUid, podUid, container, part } = request;
  const [coredumps, liveUid] = await Promise.all([
    coredumpsOf(deps.kube, namespace, podUid, signal),
    namespaceUidOf(deps.kube, namespace, signal),
  ]);
  if (liveUid !== namespaceUid) throw nothing(request, "the endpoint is of an earlier namespace of this name");
  const wanted = coredumps.filter(({ spec }) => !container || spec.containerName === container);
  const servable = wanted.filter((coredump) => !refusalOf(coredump) && coredump.spec.namespaceUid === namespaceUid);
  const [first] = wanted;
  if (servable.length === 0) throw (first && refusalOf(first)) ?? nothing(request, "none was captured");

  const files = (await opened(servable, namespaceUid, deps, signal)).map(({ coredump, bundle }) => {
    const { filename, ...download } = downloadOf(bundle, part, deps);
    const [folder = ""] = bundle.stored.key.split("/").slice(-2);
    return { ...download, path: `${folder}/${filename}`, mtime: new Date(coredump.spec.dumptime ?? 0) };
  });
  files.sort((one, other) => (one.path < other.path ? -1 : 1)); // two bundles never have the same name
  const etag = digestOf(...files.flatMap(({ path, etag }) => [path, etag]));
  const filename = `${podUid.replace(/[^A-Za-z0-9-]/g, "_")}.tar`;
  return { ...tarOf(files), etag: `"${etag}"`, filename, contentType: "application/x-tar" };
}

async function opened(coredumps: readonly StoredCoredump[], namespaceUid: string, deps: Deps, signal: AbortSignal) {
  const done: { coredump: StoredCoredump; bundle: OpenBundle }[] = [];
  const waiting = coredumps.values();
  const worker = async () => {
    for (const coredump of waiting)
      done.push({ coredump, bundle: await openBundle(coredump, namespaceUid, deps, signal) });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return done;
}

const nothing = ({ podUid, container }: EndpointRequest, why: string): DumpError =>
  new DumpError(
    "NOT_FOUND",
    `Cannot serve dumps of pod ${JSON.stringify(podUid)}${!container ? "" : `, container ${JSON.stringify(container)}`}: ${why}`,
  );
