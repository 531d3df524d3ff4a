/**
 * A bundle's tar, computed from any place on and never built: the small files from memory, the core from its file, zeros.
 * It is cut into frames of a fixed length, with a new one where the core begins, so that frames and the core's holes lie alike.
 */

import { DumpError } from "../../domain/failures.ts";
import { nextData } from "../../system/ffi.ts";
import { readAt } from "../../system/io.ts";
import { FRAME_BYTES } from "../bundle/seek-table.ts";
import { END_BYTES, paddingBytes } from "../bundle/tar.ts";

export class TarBytes {
  readonly #prelude: Buffer;
  readonly #fd: number;
  readonly #coreBytes: number;
  readonly #preludeFrames: number;
  readonly lengthBytes: number;
  readonly frameCount: number;
  /** All between the place that was asked for and this one is a hole. */
  #dataFrom = 0;

  /** @param prelude  the tar up to the core's first byte @param fd  of the core; the caller closes it */
  constructor(prelude: Buffer, fd: number, coreBytes: number) {
    this.#prelude = prelude;
    this.#fd = fd;
    this.#coreBytes = coreBytes;
    this.#preludeFrames = Math.ceil(prelude.length / FRAME_BYTES);
    this.lengthBytes = prelude.length + coreBytes + paddingBytes(coreBytes) + END_BYTES;
    this.frameCount = this.#preludeFrames + Math.ceil((this.lengthBytes - prelude.length) / FRAME_BYTES);
  }

  /** [from, to) in the tar. */
  frame(number: number): readonly [fromBytes: number, toBytes: number] {
    const ofPrelude = number < this.#preludeFrames;
    const from = ofPrelude ? number * FRAME_BYTES : this.#prelude.length + (number - this.#preludeFrames) * FRAME_BYTES;
    return [from, Math.min(from + FRAME_BYTES, ofPrelude ? this.#prelude.length : this.lengthBytes)];
  }

  /** Whether a frame is known to be zeros, without reading it; to be asked from the first frame on to the last. */
  isHole(number: number): boolean {
    const [from, to] = this.frame(number).map((at) => at - this.#prelude.length) as [number, number];
    if (from < 0 || to > this.#coreBytes) return false;
    if (from >= this.#dataFrom) this.#dataFrom = nextData(this.#fd, from, this.#coreBytes);
    return this.#dataFrom >= to;
  }

  /** A frame's bytes into `buffer`, from its beginning. @throws DumpError DUMP_CORRUPT when the core's file has become shorter */
  async read(number: number, buffer: Buffer): Promise<Buffer> {
    const [from, to] = this.frame(number);
    if (number < this.#preludeFrames) return buffer.subarray(0, this.#prelude.copy(buffer, 0, from, to));
    const position = from - this.#prelude.length;
    const coreEnd = Math.max(0, Math.min(to - from, this.#coreBytes - position));
    for (let at = 0; at < coreEnd; ) {
      const bytes = await readAt(this.#fd, buffer.subarray(at), coreEnd - at, BigInt(position + at));
      const why = `Cannot read the core: it ends at ${position + at} of ${this.#coreBytes} bytes`;
      if (bytes === 0) throw new DumpError("DUMP_CORRUPT", why);
      at += bytes;
    }
    return buffer.subarray(0, to - from).fill(0, coreEnd);
  }
}
