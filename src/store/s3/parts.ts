/**
 * A stream of bytes as parts of one length, all but the last. Three buffers at the most are in use: two on their way, one
 * being filled; the sender of a part gives its buffer back.
 */
import { crc32 } from "node:zlib";

export interface UploadPart {
  readonly body: Buffer;
  /** CRC-32 of this part, and of all bytes up to its end. */
  readonly crc: number;
  readonly crcSoFar: number;
  readonly last: boolean;
}

export class PartSplitter {
  readonly #partBytes: number;
  readonly #spare: Buffer[] = [];
  #crc: number;

  /** @param crcBefore  CRC-32 of the bytes before the first part */
  constructor(partBytes: number, crcBefore: number) {
    this.#partBytes = partBytes;
    this.#crc = crcBefore;
  }

  /** At least one part, if only an empty one. */
  async *of(bytes: AsyncIterable<Buffer>): AsyncGenerator<UploadPart> {
    let [body, filled] = [this.#buffer(), 0];
    for await (const chunk of bytes) {
      for (let at = 0; at < chunk.length; ) {
        if (filled === this.#partBytes) {
          yield this.#part(body, false);
          [body, filled] = [this.#buffer(), 0];
        }
        const copied = chunk.copy(body, filled, at);
        at += copied;
        filled += copied;
      }
    }
    yield this.#part(body.subarray(0, filled), true);
  }

  giveBack({ body }: UploadPart): void {
    if (body.length === this.#partBytes) this.#spare.push(body);
  }

  #buffer(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#partBytes);
  }

  #part(body: Buffer, last: boolean): UploadPart {
    this.#crc = crc32(body, this.#crc);
    return { body, crc: crc32(body), crcSoFar: this.#crc, last };
  }
}
