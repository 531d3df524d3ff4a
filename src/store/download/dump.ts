/** Opens one dump for download: its core, or its bundle. */
import { DumpError, isCode } from "../../domain/failures.ts";
import { refusalOf } from "../../domain/refusal.ts";
import type { Coredump } from "../../kube/coredump.ts";
import { keyOfCoredump } from "../bundle/key.ts";
import type { DumpSource, Stored } from "../ports/source.ts";
import type { BundleIdentity, OpenBundle } from "./bundles.ts";
import { coredumpOf, namespaceUidOf } from "./coredumps.ts";
import { type Deps, type Download, type DownloadPart, type DumpRequest, digestOf } from "./download.ts";
import { storedBytes } from "./ranges.ts";

/**
 * One dump: its core as the plain ELF file, or its bundle as it lies in the store.
 *
 * @param signal  of who asks; what is read later has its own
 * @throws DumpError NOT_FOUND; DUMP_NOT_READY, DUMP_NOT_HELD, DUMP_RESTRICTED with the reason; STORE_…, API_…
 */
export async function openDump(
  { namespace, name, part }: DumpRequest,
  deps: Deps,
  signal: AbortSignal,
): Promise<Download> {
  const [coredump, namespaceUid] = await Promise.all([
    coredumpOf(deps.kube, namespace, name, signal),
    namespaceUidOf(deps.kube, namespace, signal),
  ]);
  const bundle = await openBundle(coredump, namespaceUid, deps, signal);
  return downloadOf(bundle, part, deps);
}

/** @throws DumpError as openDump() does */
export async function openBundle(
  coredump: Coredump,
  namespaceUid: string,
  { bundles }: Deps,
  signal: AbortSignal,
): Promise<OpenBundle> {
  const { key, claim } = placeOf(coredump, namespaceUid);
  return await bundles.open(key, claim, signal).catch((error) => {
    throw worded(error, coredump, bundles.source.volume);
  });
}

/** What lies where its bundle should be; whose it is was not looked at. @throws DumpError as openDump() does */
export async function headOf(
  coredump: Coredump,
  namespaceUid: string,
  { bundles: { source } }: Deps,
  signal: AbortSignal,
): Promise<Stored> {
  return await source.head(placeOf(coredump, namespaceUid).key, signal).catch((error) => {
    throw worded(error, coredump, source.volume);
  });
}

/** @throws DumpError DUMP_NOT_HELD, and the dump's refusal */
function placeOf(coredump: Coredump, namespaceUid: string): { readonly key: string; readonly claim: BundleIdentity } {
  const { name, namespace = "" } = coredump.metadata;
  const refusal = refusalOf(coredump);
  if (refusal) throw refusal;
  const { id, node, uid, containerName, pid, filename, dumptime, ...spec } = coredump.spec;
  // Objects of the first versions have less; nothing is stored for them.
  if (!id || !uid || !containerName || !pid || !filename || !dumptime)
    throw new DumpError("DUMP_NOT_HELD", `Cannot serve the core of ${name}: it does not say which dump it is`);
  const earlier = `Cannot serve the core of ${name}: it is of an earlier namespace of this name`;
  if (spec.namespaceUid !== namespaceUid) throw new DumpError("DUMP_NOT_HELD", earlier);
  const key = keyOfCoredump(namespace, { id, node: node ?? "", uid, containerName, pid, filename, dumptime });
  return { key, claim: { id, namespaceUid, podUid: uid, checksum: coredump.status?.checksum } };
}

function worded(cause: unknown, { metadata, spec }: Coredump, volume: string): unknown {
  if (!isCode(cause, "NOT_FOUND")) return cause;
  return new DumpError("DUMP_NOT_HELD", `Cannot serve the core of ${metadata.name}: ${volume} has it no more`, {
    cause,
    hint: `it was stored in ${spec.volume ?? "another store"}; ask the cluster's administrators where it went`,
  });
}

const SUFFIX = ".tar.zst";

/** What is sent of a bundle, and under which name. */
export function downloadOf(
  { stored, reader, core, sha256 }: OpenBundle,
  part: DownloadPart,
  { bundles }: Pick<Deps, "bundles">,
): Download {
  if (part === "bundle") return bundleDownload(stored, bundles.source, async () => undefined);
  return {
    etag: `"${sha256 === null ? digestOf(stored.key, stored.version, "core") : `sha256-${sha256}`}-${core.sizeBytes}"`,
    lengthBytes: core.sizeBytes,
    filename: `${fileOf(stored).slice(0, -SUFFIX.length)}.core`,
    contentType: "application/octet-stream",
    read: (from, to, signal) => reader.read(core.fromBytes + from, core.fromBytes + to, signal, "lent"),
  };
}

/** @param prove  that it is the right one, before a byte of it goes out */
export const bundleDownload = (
  stored: Stored,
  source: DumpSource,
  prove: (signal: AbortSignal) => Promise<unknown>,
): Download => ({
  etag: `"${digestOf(stored.key, stored.version)}"`,
  lengthBytes: stored.sizeBytes,
  filename: fileOf(stored),
  contentType: "application/zstd",
  async *read(from, to, signal) {
    await prove(signal);
    yield* storedBytes(source, stored, from, to, signal);
  },
});

const fileOf = ({ key }: Stored): string => key.split("/").at(-1) ?? "";
