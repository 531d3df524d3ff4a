import { keyOfCoredump } from "../bundle/key.ts";
import { DumpError, isCode } from "../domain/failures.ts";
import type { OpenBundle } from "./bundles.ts";
import { coredumpOf, namespaceUidOf, type StoredCoredump } from "./coredumps.ts";
import { type Deps, type Download, type DumpRequest, digestOf, type Part } from "./download.ts";
import { storedBytes } from "./ranges.ts";
import { refusalOf } from "./refusal.ts";

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
  coredump: StoredCoredump,
  namespaceUid: string,
  { bundles }: Deps,
  signal: AbortSignal,
): Promise<OpenBundle> {
  const { name, namespace = "" } = coredump.metadata;
  const refusal = refusalOf(coredump);
  if (refusal) throw refusal;
  const { id, node, uid, containerName, pid, filename, dumptime, ...spec } = coredump.spec;
  // Objects of the first versions have less; nothing is stored for them.
  if (!id || !uid || !containerName || !pid || !filename || !dumptime)
    throw new DumpError("DUMP_NOT_HELD", `Cannot serve the core of ${name}: it does not say which dump it is`);
  if (spec.namespaceUid !== namespaceUid)
    throw new DumpError(
      "DUMP_NOT_HELD",
      `Cannot serve the core of ${name}: it is of an earlier namespace of this name`,
    );
  const key = keyOfCoredump(namespace, { id, node: node ?? "", uid, containerName, pid, filename, dumptime });
  const claim = { id, namespaceUid, podUid: uid, checksum: coredump.status?.checksum };
  try {
    return await bundles.open(key, claim, signal);
  } catch (error) {
    if (!isCode(error, "NOT_FOUND")) throw error;
    throw new DumpError("DUMP_NOT_HELD", `Cannot serve the core of ${name}: ${bundles.source.volume} has it no more`, {
      cause: error,
      hint: `it was stored in ${spec.volume ?? "another store"}; ask whoever runs the cluster where it went`,
    });
  }
}

const SUFFIX = ".tar.zst";

/** What is sent of a bundle, and under which name. */
export function downloadOf(
  { stored, reader, core, sha256 }: OpenBundle,
  part: Part,
  { bundles }: Pick<Deps, "bundles">,
): Download {
  const file = stored.key.split("/").at(-1) ?? "";
  if (part === "bundle")
    return {
      etag: `"${digestOf(stored.key, stored.version)}"`,
      lengthBytes: stored.sizeBytes,
      filename: file,
      contentType: "application/zstd",
      read: (from, to, signal) => storedBytes(bundles.source, stored, from, to, signal),
    };
  return {
    etag: `"${sha256 === null ? digestOf(stored.key, stored.version, "core") : `sha256-${sha256}`}-${core.sizeBytes}"`,
    lengthBytes: core.sizeBytes,
    filename: `${file.slice(0, -SUFFIX.length)}.core`,
    contentType: "application/octet-stream",
    read: (from, to, signal) => reader.read(core.fromBytes + from, core.fromBytes + to, signal, "lent"),
  };
}
