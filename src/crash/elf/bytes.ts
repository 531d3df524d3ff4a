/**
 * How this folder gets at a core: by small reads at an offset, from memory or from a file alike, so that a note
 * segment of 100 MB or a million program headers are never held at once.
 *
 * The function returns at most `lengthBytes` bytes from `offsetBytes` on; fewer (or none) only where the data end. It
 * is never asked for an offset beyond 2^53. What it returns is used before the next call, so it may reuse its buffer.
 */
export type ReadAt = (offsetBytes: bigint, lengthBytes: number) => Uint8Array;

/** A statement about foreign bytes: what they say, or why they cannot be believed (a clause, for a message). */
export type Checked<T> = (T & { readonly ok: true }) | { readonly ok: false; readonly why: string };

export const refuse = (why: string): { readonly ok: false; readonly why: string } => ({ ok: false, why });

/** Bytes that are already in memory, as if they were the beginning of a file. */
export function readerOf(bytes: Uint8Array): ReadAt {
  return (offsetBytes, lengthBytes) => {
    const from = offsetBytes < BigInt(bytes.length) ? Number(offsetBytes) : bytes.length;
    return bytes.subarray(from, from + lengthBytes);
  };
}

/** Numbers of one byte order and word size; offsets outside the bytes throw, so the caller has checked the length. */
export interface NumberReader {
  u16(at: number): number;
  u32(at: number): number;
  i32(at: number): number;
  /** A C `unsigned long` or pointer: 8 bytes in a 64-bit core, 4 in a 32-bit one. */
  word(at: number): bigint;
}

export function fieldsOf(
  bytes: Uint8Array,
  { littleEndian, bits }: { littleEndian: boolean; bits: 32 | 64 },
): NumberReader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (at: number): number => view.getUint32(at, littleEndian);
  return {
    u16: (at) => view.getUint16(at, littleEndian),
    u32,
    i32: (at) => view.getInt32(at, littleEndian),
    word: bits === 64 ? (at) => view.getBigUint64(at, littleEndian) : (at) => BigInt(u32(at)),
  };
}
