/**
 * A bundle read from any place on: the frames that a range needs, and no others. Offsets are plain numbers (no file is
 * beyond 2^53). What comes out was checked: every frame carries zstd's checksum, and its length must be the table's.
 */
import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import { corrupt, FOOTER_BYTES, type Frame, parseFooter, parseSeekTable } from "./seek-table.ts";

/** Where a bundle's bytes come from: a file, an object of a store. */
export interface RangeSource {
  readonly sizeBytes: number;
  /** Exactly these bytes; its own errors pass through the reader. */
  read(fromBytes: number, lengthBytes: number, signal?: AbortSignal): Promise<Buffer>;
}

/** Compressed bytes that are fetched at once: a request to a store costs more than the bytes. */
const FETCH_BYTES = 4 << 20;

interface Place extends Frame {
  readonly packedAt: number;
  readonly plainAt: number;
}

const unpack = promisify(zstdDecompress);

export class SeekableReader {
  /** Length of the tar. */
  readonly plainBytes: number;
  readonly #source: RangeSource;
  readonly #frames: readonly Place[];

  private constructor(source: RangeSource, frames: readonly Frame[]) {
    let [packedAt, plainAt] = [0, 0];
    this.#source = source;
    this.#frames = frames.map((frame) => {
      const place = { ...frame, packedAt, plainAt };
      packedAt += frame.packedBytes;
      plainAt += frame.plainBytes;
      return place;
    });
    this.plainBytes = plainAt;
  }

  /** Two small reads: the footer, the table. @throws DumpError STORE_CORRUPT, and what the source throws */
  static async open(source: RangeSource, signal?: AbortSignal): Promise<SeekableReader> {
    const { sizeBytes } = source;
    const tail = async (bytes: number) => exactly(bytes, await source.read(sizeBytes - bytes, bytes, signal));
    if (sizeBytes < FOOTER_BYTES) throw corrupt("it is too short");
    const footer = parseFooter(await tail(FOOTER_BYTES), sizeBytes);
    return new SeekableReader(source, parseSeekTable(await tail(footer.tableBytes), footer, sizeBytes));
  }

  get frameCount(): number {
    return this.#frames.length;
  }

  /** Whether a frame begins there and all from it on are of one length, but the last, which may be shorter. */
  isEvenFrom(fromBytes: number): boolean {
    const first = firstWhere(this.#frames, ({ plainAt }) => plainAt >= fromBytes);
    const frames = this.#frames.slice(first);
    const length = frames[0]?.plainBytes ?? 0;
    const isEven = frames.every(
      ({ plainBytes }, at) => plainBytes === length || (at === frames.length - 1 && plainBytes < length),
    );
    return frames[0]?.plainAt === fromBytes && isEven;
  }

  /**
   * The tar's bytes in [from, to), in order, a frame or less at a time; the next frames are fetched meanwhile.
   * @throws DumpError STORE_CORRUPT rather than yield a byte that is not what was stored
   */
  async *read(fromBytes: number, toBytes: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
    const wanted = this.#between(fromBytes, toBytes);
    let next = this.#fetch(wanted, 0, signal);
    for (let at = 0; at < wanted.length; ) {
      const { frames, packed } = await next;
      at += frames.length;
      next = this.#fetch(wanted, at, signal);
      next.catch(() => undefined); // looked at in the next round, if there is one
      for (const frame of frames) {
        signal?.throwIfAborted();
        const plain = await plainOf(frame, packed.subarray(frame.packedAt - (frames[0]?.packedAt ?? 0)));
        yield plain.subarray(Math.max(0, fromBytes - frame.plainAt), Math.min(plain.length, toBytes - frame.plainAt));
      }
    }
  }

  #between(fromBytes: number, toBytes: number): readonly Place[] {
    const first = firstWhere(this.#frames, ({ plainAt, plainBytes }) => plainAt + plainBytes > fromBytes);
    const end = firstWhere(this.#frames, ({ plainAt }) => plainAt >= toBytes);
    return this.#frames.slice(first, Math.max(first, end));
  }

  /** As many of the wanted frames as make one fetch, from `at` on. */
  async #fetch(wanted: readonly Place[], at: number, signal?: AbortSignal) {
    let [end, bytes] = [at, 0];
    for (
      let frame = wanted[end];
      frame && (end === at || bytes + frame.packedBytes <= FETCH_BYTES);
      frame = wanted[end]
    ) {
      bytes += frame.packedBytes;
      end++;
    }
    const frames = wanted.slice(at, end);
    const from = frames[0]?.packedAt ?? 0;
    return {
      frames,
      packed: bytes === 0 ? Buffer.alloc(0) : exactly(bytes, await this.#source.read(from, bytes, signal)),
    };
  }
}

async function plainOf({ packedBytes, plainBytes }: Frame, packed: Buffer): Promise<Buffer> {
  if (plainBytes === 0) return Buffer.alloc(0); // somebody's skippable frame
  const plain = await unpack(packed.subarray(0, packedBytes), {
    maxOutputLength: plainBytes, // whatever the frame itself claims
    chunkSize: Math.max(plainBytes, 1024),
  }).catch((cause: unknown) => {
    throw corrupt("one of its frames is damaged", cause);
  });
  return exactly(plainBytes, plain);
}

function exactly(bytes: number, buffer: Buffer): Buffer {
  if (buffer.length !== bytes) throw corrupt(`${buffer.length} bytes came where ${bytes} should be`);
  return buffer;
}

/** Index of the first that is so, all behind it being so too; the length when none is. */
function firstWhere<T>(sorted: readonly T[], isSo: (item: T) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const item = sorted[middle];
    if (item !== undefined && isSo(item)) high = middle;
    else low = middle + 1;
  }
  return low;
}
