/** Copies a core out of the pipe. */
import type { CorePipe } from "./pipe.ts";
import type { SparseFile } from "./sparse-file.ts";

/** File systems take large writes in large folios: a quarter of it takes a quarter more of the processor. */
const CHUNK_BYTES = 4 << 20;

/**
 * Copies the pipe's bytes into the file up to `endBytes` (default: all), reading one chunk while the one before is written.
 * Chunks end at multiples of their size in the file, so that the core's pages line up with the zero scan.
 *
 * @param fromBytes  what lies before is read and dropped: a direct copy wrote it already
 * @throws CannotKeep when the disk or the limits say no; then the stream is not read any further
 */
export async function drain(pipe: CorePipe, file: SparseFile, fromBytes = 0n, endBytes?: bigint): Promise<void> {
  const buffers = [Buffer.allocUnsafeSlow(CHUNK_BYTES), Buffer.allocUnsafeSlow(CHUNK_BYTES)] as const;
  let writing: Promise<void> | undefined;
  for (let turn = 0; !pipe.ended && (endBytes === undefined || pipe.positionBytes < endBytes); turn ^= 1) {
    const buffer = buffers[turn & 1] as Buffer;
    const position = pipe.positionBytes;
    const length = await pipe.fill(buffer, 0, chunkLength(position, endBytes));
    await writing;
    const drop = fromBytes <= position ? 0 : Math.min(length, Number(fromBytes - position));
    writing = file.write(buffer.subarray(drop), length - drop, position + BigInt(drop));
    writing.catch(() => undefined); // seen at the next await, or below
  }
  await writing;
  if (file.failure) throw file.failure;
}

function chunkLength(position: bigint, end: bigint | undefined): number {
  const toBoundary = CHUNK_BYTES - Number(position % BigInt(CHUNK_BYTES));
  return end !== undefined && end - position < BigInt(toBoundary) ? Number(end - position) : toBoundary;
}
