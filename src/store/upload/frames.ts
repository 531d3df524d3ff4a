/** A bundle's tar as compressed frames, some of them ahead. */
import { FRAME_BYTES } from "../bundle/seek-table.ts";
import { type Packed, Packer } from "./packer.ts";
import type { TarBytes } from "./tar-bytes.ts";

/** Frames that are read and compressed at once: about six megabytes each. Two processors have no use for more. */
export const AHEAD = 2;

const ZEROS = Buffer.alloc(4096);

/** A bundle's frames, compressed in a few lanes, each with a buffer of its own. */
export class Frames implements Disposable {
  readonly #tar: TarBytes;
  readonly #lanes = Array.from({ length: AHEAD }, () => ({
    packer: new Packer(),
    buffer: Buffer.allocUnsafeSlow(FRAME_BYTES),
  }));
  /** A frame of FRAME_BYTES zeros: a core's holes cost nothing but this, once. */
  #zeros: Promise<Packed> | undefined;

  constructor(tar: TarBytes) {
    this.#tar = tar;
  }

  /** To be asked from the first frame on to the last, with no more than AHEAD under way. */
  async packed(number: number): Promise<Packed> {
    if (this.#tar.isHole(number)) return this.#packedZeros();
    const lane = this.#lanes[number % AHEAD];
    if (!lane) throw new RangeError(`no lane for frame ${number}`);
    const plain = await this.#tar.read(number, lane.buffer);
    return plain.length === FRAME_BYTES && isZero(plain) ? this.#packedZeros() : lane.packer.pack(plain);
  }

  async #packedZeros(): Promise<Packed> {
    this.#zeros ??= packedAlone(Buffer.alloc(FRAME_BYTES));
    return this.#zeros;
  }

  [Symbol.dispose](): void {
    for (const { packer } of this.#lanes) packer[Symbol.dispose]();
  }
}

async function packedAlone(plain: Buffer): Promise<Packed> {
  using packer = new Packer();
  return await packer.pack(plain);
}

function isZero(plain: Buffer): boolean {
  for (let at = 0; at < plain.length; at += ZEROS.length)
    if (plain.compare(ZEROS, 0, ZEROS.length, at, at + ZEROS.length) !== 0) return false;
  return true;
}
