/**
 * A core out of its bundle. Only the bundle's compressed frames go over the wire, each once, and are unpacked here: a hole of a
 * gigabyte is some hundred bytes. Every frame is checked as it is unpacked (zstd's own checksum, and its length).
 */

import type { ByteRange } from "../../domain/units.ts";
import { type BundleEntry, entryOf } from "../../store/bundle/entries.ts";
import { type RangeSource, SeekableReader } from "../../store/bundle/reader.ts";
import { type Bytes, Pace, steadily } from "./pieces.ts";

/** The seek table of some gigabytes, and with what lies before the core all of a small bundle. */
const TAIL_BYTES = 16 << 10;
const SMALL_BYTES = 1 << 20;
/** Fetched rather than left out: a request takes as long as that. */
const GAP_BYTES = 64 << 10;

export class CoreBytes implements Bytes {
  readonly lengthBytes: number;
  readonly etag: string;
  /** The bundle's bytes were asked for as often as makes sense already. */
  readonly isSteady = true;
  readonly #reader: SeekableReader;
  readonly #core: BundleEntry;

  private constructor(reader: SeekableReader, core: BundleEntry, bundle: Bytes) {
    this.#reader = reader;
    this.#core = core;
    this.lengthBytes = core.sizeBytes;
    this.etag = `${bundle.etag};core`; // what has come of the bundle itself is something else
  }

  /** Reads what stands before the core. @throws DumpError STORE_CORRUPT when it is not a bundle of ours; as steadily() does */
  static async open(bundle: Bytes, signal: AbortSignal): Promise<CoreBytes> {
    const ranges = new BundleRanges(bundle);
    const reader = await SeekableReader.open(ranges, signal);
    const core = await entryOf(reader, "core", signal);
    ranges.opened = true;
    return new CoreBytes(reader, core, bundle);
  }

  /** A piece ends where a frame does: no frame is fetched twice. */
  pieceEnd(fromBytes: number, wireBytes: number, plainBytes: number): number {
    const { fromBytes: begin } = this.#core;
    return Math.min(this.lengthBytes, this.#reader.framesEnd(begin + fromBytes, wireBytes, plainBytes) - begin);
  }

  read(fromBytes: number, toBytes: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { fromBytes: begin } = this.#core;
    return this.#reader.read(begin + fromBytes, begin + toBytes, signal);
  }
}

/** The bundle's bytes; those of its end and of its beginning, which are asked for several times, stay here. */
class BundleRanges implements RangeSource {
  readonly sizeBytes: number;
  /** Until then what is read is small, and lies one after the other. */
  opened = false;
  readonly #bundle: Bytes;
  readonly #pace = new Pace();
  #head = Buffer.alloc(0);
  #tail: Promise<Buffer> | undefined;

  constructor(bundle: Bytes) {
    this.#bundle = bundle;
    this.sizeBytes = bundle.lengthBytes;
  }

  async read(fromBytes: number, lengthBytes: number, signal: AbortSignal): Promise<Buffer> {
    const toBytes = fromBytes + lengthBytes;
    const tailBytes = this.sizeBytes <= SMALL_BYTES ? this.sizeBytes : TAIL_BYTES;
    const tailAt = this.sizeBytes - tailBytes;
    if (fromBytes >= tailAt) {
      this.#tail ??= this.#fetched({ fromBytes: tailAt, toBytes: this.sizeBytes }, signal);
      return (await this.#tail).subarray(fromBytes - tailAt, toBytes - tailAt);
    }
    if (!this.opened && toBytes > this.#head.length && fromBytes <= this.#head.length + GAP_BYTES) {
      const more = await this.#fetched({ fromBytes: this.#head.length, toBytes }, signal);
      this.#head = Buffer.concat([this.#head, more]);
    }
    if (toBytes <= this.#head.length) return this.#head.subarray(fromBytes, toBytes);
    return await this.#fetched({ fromBytes, toBytes }, signal);
  }

  async #fetched(range: ByteRange, signal: AbortSignal): Promise<Buffer> {
    return Buffer.concat(await Array.fromAsync(steadily(this.#bundle, range, { pace: this.#pace, signal })));
  }
}
