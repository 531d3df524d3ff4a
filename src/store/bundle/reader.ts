/**
 * A bundle read from any place on: the frames that a range needs, and no others. Offsets are plain numbers (no file is
 * beyond 2^53). What comes out was checked: every frame carries zstd's checksum, and its length must be the table's.
 */
import { promisify } from "node:util";
import { constants, zstdDecompress } from "node:zlib";
import { free } from "./free.ts";
import { corrupt, FOOTER_BYTES, type FrameOffsets, parseFooter, parseSeekTable } from "./seek-table.ts";
import { Turns } from "./turns.ts";

/** Where a bundle's bytes come from: a file, an object of a store. */
export interface RangeSource {
  readonly sizeBytes: number;
  /** Exactly these bytes, in memory that is the reader's from then on; its own errors pass through the reader. */
  read(fromBytes: number, lengthBytes: number, signal?: AbortSignal): Promise<Buffer>;
}

/** Compressed bytes that are fetched at once: a request to a store costs more than the bytes. */
const FETCH_BYTES = 4 << 20;
/** With many readers, each fetches less at once, and only a few fetch ahead: a frame of each stands in memory anyway. */
const TOGETHER_BYTES = 16 << 20;
const MAX_AHEAD = 8;
/** A piece may be copied on its way out, by TLS for one. */
const PIECE_BYTES = 256 << 10;

/** Frames that are fetched and decompressed at once, which takes twice the memory of what comes out. */
const TURNS = new Turns(4);

/** Else zlib, seeing its buffer full, makes another of that size, and leaves it to the garbage collector. */
const SPARE_BYTES = 1;
/** As a power of two: what our level takes (zstd 1.5: 512 KiB), and twice a frame. */
const MAX_WINDOW_LOG = 22;

/** In this process. */
let readers = 0;

const unpack = promisify(zstdDecompress);

export class SeekableReader {
  /** Length of the tar. */
  readonly plainBytes: number;
  readonly frameCount: number;
  readonly #source: RangeSource;
  readonly #places: FrameOffsets;

  private constructor(source: RangeSource, places: FrameOffsets) {
    this.#source = source;
    this.#places = places;
    this.frameCount = places.count;
    this.plainBytes = places.plainAt[places.count] ?? 0;
  }

  /** Two small reads: the footer, the table. @throws DumpError STORE_CORRUPT, and what the source throws */
  static async open(source: RangeSource, signal?: AbortSignal): Promise<SeekableReader> {
    const { sizeBytes } = source;
    const tail = async (bytes: number) => exactly(bytes, await source.read(sizeBytes - bytes, bytes, signal));
    if (sizeBytes < FOOTER_BYTES) throw corrupt("it is too short");
    const footer = parseFooter(await tail(FOOTER_BYTES), sizeBytes);
    return new SeekableReader(source, parseSeekTable(await tail(footer.tableBytes), footer, sizeBytes));
  }

  /** Whether a frame begins there and all from it on are of one length, but the last, which may be shorter. */
  isEvenFrom(fromBytes: number): boolean {
    const { count, plainAt } = this.#places;
    const first = firstWhere(count, (frame) => at(plainAt, frame) >= fromBytes);
    const length = at(plainAt, first + 1) - fromBytes;
    for (let frame = first + 1; frame < count; frame++) {
      const expected = fromBytes + (frame - first) * length;
      if (at(plainAt, frame) !== expected) return false;
    }
    return at(plainAt, first) === fromBytes && this.plainBytes - at(plainAt, count - 1) <= length;
  }

  /**
   * Where frames end that are asked for together: as many from this place on as fit into both bounds, and one at least.
   * @param packedBytes  what they may take in the file
   * @param plainBytes   what they may hold
   */
  framesEnd(fromBytes: number, packedBytes: number, plainBytes: number): number {
    const { count, packedAt, plainAt } = this.#places;
    const first = firstWhere(count, (frame) => at(plainAt, frame + 1) > fromBytes);
    const tooMuch = (frame: number): boolean =>
      at(packedAt, frame + 1) - at(packedAt, first) > packedBytes || at(plainAt, frame + 1) - fromBytes > plainBytes;
    const end = firstWhere(count, (frame) => frame > first && tooMuch(frame));
    return plainAt[end] ?? this.plainBytes;
  }

  /**
   * The tar's bytes in [from, to), in order, some at a time; what comes next is fetched meanwhile. Once it has ended,
   * however it did, nothing is fetched any more.
   *
   * @param how  `lent`: a piece is the taker's only until it asks for the next. Its memory is then free at once: what
   *             waits for the garbage collector would be most of what a server with many readers holds.
   * @throws DumpError STORE_CORRUPT rather than yield a byte that is not what was stored
   */
  async *read(
    fromBytes: number,
    toBytes: number,
    signal?: AbortSignal,
    how: "kept" | "lent" = "kept",
  ): AsyncGenerator<Buffer> {
    const { count, plainAt } = this.#places;
    const first = firstWhere(count, (frame) => at(plainAt, frame + 1) > fromBytes);
    const end = firstWhere(count, (frame) => at(plainAt, frame) >= toBytes);
    const stop = new AbortController();
    const ended = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const packed = this.#packed(first, end, ended);
    const done = how === "lent" ? free : (_: Buffer, __?: number) => undefined;
    const unpacked = (frame: number) =>
      TURNS.of(async () => {
        const { value } = await packed.next();
        return await plainOf(value, at(plainAt, frame + 1) - at(plainAt, frame));
      });
    let ahead: Promise<Buffer> | undefined;
    readers++;
    try {
      for (let frame = first; frame < end; frame++) {
        const plain = await (ahead ?? unpacked(frame));
        ahead = frame + 1 < end && readers <= MAX_AHEAD ? unpacked(frame + 1) : undefined;
        ahead?.catch(() => undefined); // looked at when its turn comes, if it comes
        const begin = at(plainAt, frame);
        const to = Math.min(plain.length, toBytes - begin);
        for (let from = Math.max(0, fromBytes - begin); from < to; from += PIECE_BYTES) {
          ended.throwIfAborted();
          yield plain.subarray(from, Math.min(from + PIECE_BYTES, to));
        }
        done(plain, SPARE_BYTES);
      }
    } finally {
      readers--;
      stop.abort();
    }
  }

  /** The frames as they lie in the file, fetched some at once, and while there are few readers, ahead. */
  async *#packed(first: number, end: number, signal: AbortSignal): AsyncGenerator<Buffer, Buffer> {
    let ahead: Promise<Fetched> | undefined;
    for (let frame = first; frame < end; ) {
      const { bytes, frames }: Fetched = await (ahead ?? this.#fetch(frame, end, signal));
      frame += frames.length;
      ahead = readers <= MAX_AHEAD ? this.#fetch(frame, end, signal) : undefined;
      ahead?.catch(() => undefined); // likewise
      yield* frames;
      free(bytes); // a reader that asks for more has unpacked these
    }
    return Buffer.alloc(0);
  }

  /** As many frames from this one on as make one fetch. */
  async #fetch(frame: number, end: number, signal: AbortSignal): Promise<Fetched> {
    if (frame >= end) return { bytes: Buffer.alloc(0), frames: [] };
    const { packedAt } = this.#places;
    const from = at(packedAt, frame);
    const fits = (next: number) => at(packedAt, next) - from <= Math.min(FETCH_BYTES, TOGETHER_BYTES / readers);
    let until = frame + 1;
    while (until < end && fits(until + 1)) until++;
    const bytes = await this.#source.read(from, at(packedAt, until) - from, signal);
    exactly(at(packedAt, until) - from, bytes);
    const frames = Array.from({ length: until - frame }, (_, index) =>
      bytes.subarray(at(packedAt, frame + index) - from, at(packedAt, frame + index + 1) - from),
    );
    return { bytes, frames };
  }
}

/** Frames that lie side by side, and the memory that they share. */
interface Fetched {
  readonly bytes: Buffer;
  readonly frames: readonly Buffer[];
}

async function plainOf(packed: Buffer, plainBytes: number): Promise<Buffer> {
  if (plainBytes === 0) return packed.subarray(0, 0); // a skippable frame
  const plain = await unpack(packed, {
    maxOutputLength: plainBytes, // whatever the frame itself claims
    chunkSize: Math.max(plainBytes + SPARE_BYTES, 1024),
    params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG }, // likewise: it would be allocated
  }).catch((cause: unknown) => {
    throw corrupt("one of its frames is damaged", cause);
  });
  return exactly(plainBytes, plain);
}

function exactly(bytes: number, buffer: Buffer): Buffer {
  if (buffer.length !== bytes) throw corrupt(`${buffer.length} bytes came where ${bytes} should be`);
  return buffer;
}

/** A number of a table; after its end, one that nothing reaches. */
const at = (table: Float64Array, index: number): number => table[index] ?? Number.POSITIVE_INFINITY;

/** The first for which it holds, as for all after it; `count` when none is. */
function firstWhere(count: number, isSo: (index: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isSo(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
