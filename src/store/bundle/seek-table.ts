/**
 * The seek table of a seekable zstd file (facebook/zstd, contrib/seekable_format/zstd_seekable_compression_format.md, 0.1.0):
 * a skippable frame at the end that any zstd ignores. All numbers are little-endian.
 *
 *   0x184D2A5E | bytes that follow | per frame: compressed, plain (| checksum) | number of frames | descriptor | 0x8F92EAB1
 */
import { DumpError } from "../../domain/failures.ts";

const SKIPPABLE_MAGIC = 0x184d2a5e;
const SEEKABLE_MAGIC = 0x8f92eab1;
const HEADER_BYTES = 8;
const ENTRY_BYTES = 8;
export const FOOTER_BYTES = 9;

const CHECKSUM_FLAG = 0x80;
const RESERVED_BITS = 0x7c;

/** 2^20 frames of 2 MiB are two tebibytes; a table that says more is not believed. */
const MAX_FRAMES = 1 << 20;
/**
 * Of the tar in one frame; a bundle's frames are cut at this length, and always were. Measured on a core of 2 GiB: frames of
 * 1, 2 and 4 MiB take the same time and come to the same size within 0.4 %. The smaller, the less a range of the core costs;
 * the larger, the shorter the table of a sparse terabyte.
 */
export const FRAME_BYTES = 2 << 20;
/** What zstd may need for bytes that do not compress (ZSTD_COMPRESSBOUND). */
export const boundBytes = (plainBytes: number): number => plainBytes + (plainBytes >> 8) + 1024;
/** A frame of nothing, with its checksum (RFC 8878, 3.1.1); one that holds a byte is longer. */
const EMPTY_FRAME_BYTES = 13;
const MAX_PACKED_BYTES = boundBytes(FRAME_BYTES);

/** Lengths of one frame: as it lies in the file, and of what it holds. */
export interface FrameLengths {
  readonly packedBytes: number;
  readonly plainBytes: number;
}

/** Without checksums: every frame of ours carries zstd's own. */
export function encodeSeekTable(frames: readonly FrameLengths[]): Buffer {
  const table = Buffer.alloc(HEADER_BYTES + frames.length * ENTRY_BYTES + FOOTER_BYTES);
  table.writeUInt32LE(SKIPPABLE_MAGIC, 0);
  table.writeUInt32LE(table.length - HEADER_BYTES, 4);
  for (const [at, { packedBytes, plainBytes }] of frames.entries()) {
    table.writeUInt32LE(packedBytes, HEADER_BYTES + at * ENTRY_BYTES);
    table.writeUInt32LE(plainBytes, HEADER_BYTES + at * ENTRY_BYTES + 4);
  }
  table.writeUInt32LE(frames.length, table.length - FOOTER_BYTES);
  table.writeUInt32LE(SEEKABLE_MAGIC, table.length - 4);
  return table;
}

/** What a file's last bytes say of its seek table. */
interface Footer {
  readonly frameCount: number;
  readonly entryBytes: number;
  /** Of the whole skippable frame. */
  readonly tableBytes: number;
}

/** @throws DumpError STORE_CORRUPT */
export function parseFooter(footer: Buffer, fileBytes: number): Footer {
  if (footer.length !== FOOTER_BYTES || footer.readUInt32LE(5) !== SEEKABLE_MAGIC)
    throw corrupt("it has no seek table");
  const descriptor = footer.readUInt8(4);
  if ((descriptor & RESERVED_BITS) !== 0) throw corrupt("its seek table is of a later version");
  const frameCount = footer.readUInt32LE(0);
  const entryBytes = (descriptor & CHECKSUM_FLAG) !== 0 ? ENTRY_BYTES + 4 : ENTRY_BYTES;
  const tableBytes = HEADER_BYTES + frameCount * entryBytes + FOOTER_BYTES;
  if (frameCount > MAX_FRAMES || tableBytes > fileBytes) throw corrupt(`its seek table claims ${frameCount} frames`);
  return { frameCount, entryBytes, tableBytes };
}

/** Where the frames lie, in the file and in what it holds: frame n from [n] to [n + 1]. A million of them take 16 MB. */
export interface FrameOffsets {
  readonly count: number;
  readonly packedAt: Float64Array;
  readonly plainAt: Float64Array;
}

/** @param table  the last `tableBytes` of the file @throws DumpError STORE_CORRUPT unless the frames fill the file */
export function parseSeekTable(
  table: Buffer,
  { frameCount: count, entryBytes, tableBytes }: Footer,
  fileBytes: number,
): FrameOffsets {
  if (
    table.length !== tableBytes ||
    table.readUInt32LE(0) !== SKIPPABLE_MAGIC ||
    table.readUInt32LE(4) !== tableBytes - HEADER_BYTES
  )
    throw corrupt("its seek table has no beginning");
  const [packedAt, plainAt] = [new Float64Array(count + 1), new Float64Array(count + 1)];
  let [packedEnd, plainEnd] = [0, 0];
  for (let at = 0; at < count; at++) {
    const entry = HEADER_BYTES + at * entryBytes;
    const [packedBytes, plainBytes] = [table.readUInt32LE(entry), table.readUInt32LE(entry + 4)];
    if (packedBytes > MAX_PACKED_BYTES || plainBytes > FRAME_BYTES)
      throw corrupt("its seek table claims a frame that is larger than any of ours");
    if (plainBytes === 0 && packedBytes > EMPTY_FRAME_BYTES) throw corrupt("its seek table hides a frame"); // which would be left out, and no checksum looked at
    packedAt[at + 1] = packedEnd += packedBytes;
    plainAt[at + 1] = plainEnd += plainBytes;
  }
  if (packedEnd + tableBytes !== fileBytes) throw corrupt("its seek table does not fit its length");
  return { count, packedAt, plainAt };
}

export const corrupt = (why: string, cause?: unknown): DumpError =>
  new DumpError("STORE_CORRUPT", `Cannot read the bundle: ${why}`, {
    cause,
    hint: "the store has damaged it, or another program has written it",
  });
