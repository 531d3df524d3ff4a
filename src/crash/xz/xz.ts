/**
 * Unpacks .xz (xz-file-format.txt 1.2.1) with LZMA2 as its only filter: what `xz` makes, and what MiniDebugInfo is packed with. Its
 * check sums are not looked at: who made the file could have made them, too, and every size and copy is bounded without them.
 */
import { Lzma, Output } from "./lzma.ts";
import { RangeDecoder } from "./range.ts";

const [HEAD_BYTES, FOOT_BYTES] = [12, 12];
const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const LZMA2 = 0x21;
/** To forget what was learnt costs as much as to unpack some 4 KiB; encoders do it for 64 KiB and more. */
const [RESETS, RESET_BYTES] = [64, 4096];
/** Bytes of a check, by its kind (section 2.1.1.2). */
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

/**
 * @param max what may come out; the size is known, and refused, before anything is unpacked
 * @throws RangeError where the bytes are no such file, or broken
 */
export function unxz(bytes: Uint8Array, max: number): Uint8Array {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) throw new RangeError("not xz");
  const size = sizeOf(bytes);
  if (size > max) throw new RangeError("too large when it is unpacked");
  const out = new Output(size);
  const check = CHECK_BYTES[(bytes[7] ?? 0) & 15] ?? 0;
  for (let at = HEAD_BYTES; (bytes[at] ?? 0) !== 0; ) at = blockAt(bytes, at, out) + check;
  if (out.left > 0) throw new RangeError("fewer bytes than the index says");
  return out.bytes;
}

/** The sum that the index at the end says (section 4): so many bytes come out of all blocks. */
function sizeOf(bytes: Uint8Array): number {
  const foot = bytes.length - FOOT_BYTES;
  if (foot < HEAD_BYTES || bytes[foot + 10] !== 0x59 || bytes[foot + 11] !== 0x5a) throw new RangeError("cut short");
  const back = (new DataView(bytes.buffer, bytes.byteOffset + foot).getUint32(4, true) + 1) * 4;
  const index = foot - back;
  if (index < HEAD_BYTES || bytes[index] !== 0) throw new RangeError("no index");
  const cursor = { at: index + 1 };
  const blocks = number(bytes, cursor);
  let size = 0;
  for (let i = 0; i < blocks; i++) {
    number(bytes, cursor);
    size += number(bytes, cursor);
    if (cursor.at > foot) throw new RangeError("an index beyond its end");
  }
  return size;
}

/** @returns where the block's check begins */
function blockAt(bytes: Uint8Array, start: number, out: Output): number {
  const data = start + ((bytes[start] ?? 0) + 1) * 4;
  const flags = bytes[start + 1] ?? 0;
  const cursor = { at: start + 2 };
  if (flags & 0x40) number(bytes, cursor);
  if (flags & 0x80) number(bytes, cursor);
  if ((flags & 3) !== 0 || number(bytes, cursor) !== LZMA2) throw new RangeError("another filter than LZMA2");
  const end = lzma2(bytes, data, out);
  return end + ((4 - ((end - data) & 3)) & 3);
}

/** Chunks (section 5.3.1), each of which says what comes out of it. @returns where they end */
function lzma2(bytes: Uint8Array, start: number, out: Output): number {
  let lzma: Lzma | undefined;
  for (let at = start; ; ) {
    const control = byteAt(bytes, at++);
    if (control === 0) return at;
    if (control === 1 || control >= 0xe0) out.from = out.at;
    const low = (byteAt(bytes, at) << 8) + byteAt(bytes, at + 1) + 1;
    at += 2;
    if (control < 0x80) {
      if (control > 2) throw new RangeError("an unknown chunk");
      out.bytes.set(within(bytes, at, low, out.left), out.at);
      out.at += low;
      at += low;
      continue;
    }
    const packed = (byteAt(bytes, at) << 8) + byteAt(bytes, at + 1) + 1;
    at += 2;
    if (control >= 0xc0) lzma = new Lzma(byteAt(bytes, at++));
    else if (control >= 0xa0) lzma = lzma && new Lzma(lzma.properties);
    if (control >= 0xa0 && ++out.resets > RESETS + out.bytes.length / RESET_BYTES)
      throw new RangeError("too many resets");
    if (!lzma) throw new RangeError("a chunk without its properties");
    const size = ((control & 0x1f) << 16) + low;
    if (size > out.left) throw new RangeError("more bytes than the index says");
    lzma.unpack(new RangeDecoder(within(bytes, at, packed)), out, out.at + size);
    at += packed;
  }
}

function within(bytes: Uint8Array, at: number, length: number, max = length): Uint8Array {
  if (length > max || at + length > bytes.length) throw new RangeError("a chunk beyond its end");
  return bytes.subarray(at, at + length);
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new RangeError("a chunk beyond its end");
  return byte;
}

/** 7 bits a byte, the lowest first (section 1.2). */
function number(bytes: Uint8Array, cursor: { at: number }): number {
  for (let value = 0, scale = 1, i = 0; i < 9; i++, scale *= 128) {
    const byte = byteAt(bytes, cursor.at++);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
  }
  throw new RangeError("a number of too many bytes");
}
