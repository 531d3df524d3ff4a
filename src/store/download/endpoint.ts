/** Opens all dumps of a pod for download, as one tar. */
import { DumpError } from "../../domain/failures.ts";
import { refusalOf } from "../../domain/refusal.ts";
import type { Coredump } from "../../kube/coredump.ts";
import type { Stored } from "../ports/source.ts";
import { coredumpsOf, namespaceUidOf } from "./coredumps.ts";
import { type Deps, type Download, type DownloadPart, digestOf, type EndpointRequest } from "./download.ts";
import { bundleDownload, downloadOf, headOf, openBundle } from "./dump.ts";
import { type TarFile, tarOf } from "./tar.ts";

/** Bundles that are looked at at once. */
const AT_ONCE = 8;
/** In one tar. Of bundles only their lengths are asked for; how long plain cores are only their bundles tell. */
const MOST: Readonly<Record<DownloadPart, number>> = { bundle: 1000, core: 100 };

/**
 * A tar of what the processes of one pod left: `<container>/<file>.tar.zst`, or the plain cores. Made on the way, and the
 * same bytes for the same bundles; a newer crash makes it another one. Of several bundles only the first is opened for the
 * answer, each other one when its bytes are asked for: if it is not the right one, what is sent breaks off.
 *
 * @throws DumpError as openDump() does; NOT_FOUND when there is nothing, the first dump's refusal when none can be served;
 *         USAGE when there are too many for one tar
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
  if (servable.length > MOST[part]) throw tooMany(request, servable.length);

  const files = await filesOf(servable, request, deps, signal);
  files.sort((one, other) => (one.path < other.path ? -1 : 1)); // two bundles never have the same name
  const etag = digestOf(...files.flatMap(({ path, etag }) => [path, etag]));
  const filename = `${podUid.replace(/[^A-Za-z0-9-]/g, "_")}.tar`;
  return { ...tarOf(files), etag: `"${etag}"`, filename, contentType: "application/x-tar" };
}

type EndpointFile = TarFile & Pick<Download, "etag">;

async function filesOf(
  coredumps: readonly Coredump[],
  { namespaceUid, part }: EndpointRequest,
  deps: Deps,
  signal: AbortSignal,
): Promise<EndpointFile[]> {
  const done: EndpointFile[] = [];
  const waiting = coredumps.entries();
  const worker = async () => {
    for (const [index, coredump] of waiting) {
      const open = (signal: AbortSignal) => openBundle(coredump, namespaceUid, deps, signal);
      if (part === "core" || index === 0) {
        const bundle = await open(signal);
        done.push(fileOf(coredump, bundle.stored, downloadOf(bundle, part, deps)));
      } else {
        const stored = await headOf(coredump, namespaceUid, deps, signal);
        done.push(fileOf(coredump, stored, bundleDownload(stored, deps.bundles.source, open)));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return done;
}

function fileOf({ spec }: Coredump, { key }: Stored, { filename, ...download }: Download): EndpointFile {
  const [folder = ""] = key.split("/").slice(-2);
  return { ...download, path: `${folder}/${filename}`, mtime: new Date(spec.dumptime ?? 0) };
}

const tooMany = ({ podUid, part }: EndpointRequest, count: number): DumpError =>
  new DumpError(
    "USAGE",
    `Cannot serve dumps of pod ${JSON.stringify(podUid)} in one tar: there are ${count}, at most ${MOST[part]} may be`,
    { hint: "name a container, or get them one by one: coredumps/NAME/dump" },
  );

const nothing = ({ podUid, container }: EndpointRequest, why: string): DumpError =>
  new DumpError(
    "NOT_FOUND",
    `Cannot serve dumps of pod ${JSON.stringify(podUid)}${!container ? "" : `, container ${JSON.stringify(container)}`}: ${why}`,
  );
