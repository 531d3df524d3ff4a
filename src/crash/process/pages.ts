/**
 * Bytes of a core or file, read a page at a time and kept for a while: an unwinder looks at few places, but often.
 * At most MAX_PAGES pages are held; the one that was read first goes first.
 */
import type { ReadAt } from "../elf/bytes.ts";

const PAGE_BYTES = 4096;
const MAX_PAGES = 512;
const NOTHING = new Uint8Array();

export class Pages {
  readonly #read: ReadAt;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(read: ReadAt) {
    this.#read = read;
  }

  /** The bytes from `offset` on; fewer where the data end. They stay as they are. */
  bytes(offset: number, length: number): Uint8Array {
    if (!Number.isSafeInteger(offset) || offset < 0 || length <= 0 || offset + length > Number.MAX_SAFE_INTEGER)
      return NOTHING;
    const within = offset % PAGE_BYTES;
    if (within + length <= PAGE_BYTES) return this.#page(offset - within).subarray(within, within + length);
    if (length > 8 * PAGE_BYTES) return this.stream(offset, length);
    const parts: Uint8Array[] = [];
    for (let at = offset - within; at < offset + length; at += PAGE_BYTES) {
      const page = this.#page(at);
      parts.push(page.subarray(at < offset ? within : 0, Math.min(PAGE_BYTES, offset + length - at)));
      if (page.length < PAGE_BYTES) break;
    }
    return Buffer.concat(parts);
  }

  /** The same past the pages: for what is read once. */
  stream(offset: number, length: number): Uint8Array {
    return Uint8Array.from(this.#read(BigInt(offset), length));
  }

  #page(at: number): Uint8Array {
    const held = this.#pages.get(at);
    if (held) return held;
    const page = this.stream(at, PAGE_BYTES);
    if (this.#pages.size >= MAX_PAGES) this.#pages.delete(this.#pages.keys().next().value ?? 0);
    this.#pages.set(at, page);
    return page;
  }
}
