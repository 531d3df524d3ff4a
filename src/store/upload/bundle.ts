/**
 * A dump as one compressed tar: small files, then the core; independent zstd frames, then their seek table. The bytes are
 * made again for every attempt and never lie on the node's disk; from the same record they are the same.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { DumpRecord } from "../../domain/dump.ts";
import { DumpError, errnoOf, reasonOf } from "../../domain/failures.ts";
import { shortId } from "../../domain/id.ts";
import { keyOf } from "../bundle/key.ts";
import { boundBytes, encodeSeekTable, FRAME_BYTES } from "../bundle/seek-table.ts";
import type { Upload } from "../ports/sink.ts";
import { type DumpFiles, preludeOf } from "./contents.ts";
import { AHEAD, Frames } from "./frames.ts";
import { inOrder, LEVEL } from "./packer.ts";
import { UploadProgress } from "./progress.ts";
import { TarBytes } from "./tar-bytes.ts";

/** Changes with the bundle's layout, so that no upload goes on with the bytes of another. */
const FORMAT = 1;

/**
 * @param files  the dump's directory in the cache; the caller holds its lock
 * @throws DumpError DUMP_NOT_HELD when there is no core, DUMP_CORRUPT when it is not the one that was captured
 */
export async function bundleOf(record: DumpRecord, files: DumpFiles): Promise<Upload & AsyncDisposable> {
  const core = await openCore(record, files);
  try {
    const { size } = await core.stat();
    const wanted = record.core.logicalBytes;
    const why = `Cannot bundle dump ${shortId(record.id)}: its core has ${size} bytes, not ${wanted}`;
    if (wanted !== null && size !== wanted) throw new DumpError("DUMP_CORRUPT", why);
    return uploadOf(record, files, core, size);
  } catch (error) {
    await core.close();
    throw unreadable(error, record);
  }
}

async function openCore(record: DumpRecord, files: DumpFiles): Promise<FileHandle> {
  try {
    return await open(files.core, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw unreadable(cause, record);
    throw new DumpError("DUMP_NOT_HELD", `Cannot bundle dump ${shortId(record.id)}: its core is gone`, { cause });
  }
}

/** An errno of the cache, distinguished from those of a store before a store sees it. */
function unreadable(cause: unknown, { id }: DumpRecord): unknown {
  if (errnoOf(cause) === undefined) return cause;
  return new DumpError("CACHE_UNUSABLE", `Cannot bundle dump ${shortId(id)}: ${reasonOf(cause)}`, { cause });
}

function uploadOf(record: DumpRecord, files: DumpFiles, core: FileHandle, coreBytes: number): Upload & AsyncDisposable {
  const prelude = preludeOf(record, files, coreBytes);
  const tar = () => new TarBytes(prelude, core.fd, coreBytes);
  const { frameCount } = tar();
  const fingerprint = fingerprintOf(record, prelude);
  const progress = UploadProgress.load(files.path("upload.json"), fingerprint);
  const held = (record.core.storedBytes ?? coreBytes) + prelude.length;
  return {
    key: keyOf(record),
    fingerprint,
    maxBytes: boundBytes(held) + frameCount * 1024, // a frame of zeros, and what each frame has in the table
    metadata: metadataOf(record),
    async *bytes(fromBytes, signal) {
      try {
        yield* bytesOf(tar(), progress.packedBytes, fromBytes, signal);
      } catch (error) {
        throw unreadable(error, record);
      }
    },
    get noted() {
      return progress.noted;
    },
    note: (what) => progress.save(what),
    [Symbol.asyncDispose]: () => core.close(),
  };
}

/** All that the bytes depend on: what is in it, how it is cut and packed, and by which zstd. */
function fingerprintOf({ core }: DumpRecord, prelude: Buffer): string {
  const how = JSON.stringify([FORMAT, FRAME_BYTES, LEVEL, process.versions["zstd"], core.sha256]);
  return createHash("sha256").update(how).update(prelude).digest("hex");
}

/** For those who list the store without opening bundles. */
const metadataOf = ({ id, node, cluster }: DumpRecord): Record<string, string> => ({
  "coredump-id": id,
  "coredump-node": node.replace(/[^\x21-\x7e]/g, "_"),
  ...(cluster ? { "coredump-namespace-uid": cluster.namespaceUid, "coredump-cluster-uid": cluster.clusterUid } : {}),
});

/** @param packedBytes  lengths of the frames, as far as they are known; grows on the way */
async function* bytesOf(
  tar: TarBytes,
  packedBytes: number[],
  fromBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let [at, first] = [0, 0];
  for (let known = packedBytes[0]; known !== undefined && at + known <= fromBytes; known = packedBytes[++first])
    at += known;
  using frames = new Frames(tar);
  let number = first;
  const packed = inOrder(first, tar.frameCount, AHEAD, (number) => frames.packed(number));
  for await (const { chunks, lengthBytes } of packed) {
    signal.throwIfAborted();
    packedBytes[number] ??= lengthBytes;
    if (packedBytes[number] !== lengthBytes)
      throw new DumpError("DUMP_CORRUPT", "Cannot go on with the bundle: the core has changed since it was begun");
    number++;
    for (const chunk of chunks) {
      yield* from(chunk, fromBytes - at);
      at += chunk.length;
    }
  }
  const table = packedBytes.map((packedBytes, at) => ({ packedBytes, plainBytes: lengthOf(tar.frame(at)) }));
  yield* from(encodeSeekTable(table), fromBytes - at);
}

const lengthOf = ([from, to]: readonly [number, number]): number => to - from;

function* from(bytes: Buffer, skip: number): Generator<Buffer> {
  if (skip < bytes.length) yield bytes.subarray(Math.max(0, skip));
}
