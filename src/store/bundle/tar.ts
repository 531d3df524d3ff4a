/**
 * One tar header, written and read (POSIX ustar; pax and GNU's long names are never needed here). By hand, because a
 * bundle's bytes are computed from any place on, which no stream can do.
 */
const BLOCK_BYTES = 512;
/** Two blocks of zeros. */
export const END_BYTES = 2 * BLOCK_BYTES;

export interface TarEntry {
  /** ASCII, at most 100 bytes. */
  readonly name: string;
  readonly sizeBytes: number;
}

/** Where the fields lie: offset, length. */
const NAME = [0, 100] as const;
const MODE = [100, 8] as const;
const UID = [108, 8] as const;
const GID = [116, 8] as const;
const SIZE = [124, 12] as const;
const MTIME = [136, 12] as const;
const CHECKSUM = [148, 8] as const;
const MAGIC = [257, 8] as const;

/**
 * Root's, and not for others to read; the user who unpacks it owns it then.
 *
 * @param type  an ordinary file, or pax records of the next one
 */
export function tarHeader({ name, sizeBytes }: TarEntry, mtime: Date, type: "0" | "x" = "0"): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(name, ...NAME, "latin1");
  for (const field of [UID, GID]) octal(block, field, 0);
  octal(block, MODE, 0o600);
  octal(block, MTIME, Math.max(0, Math.floor(mtime.getTime() / 1000)));
  number(block, SIZE, sizeBytes);
  block.write(type, 156, "latin1");
  block.write("ustar\u000000", ...MAGIC, "latin1");
  block.write(`${checksum(block).toString(8).padStart(6, "0")}\0 `, ...CHECKSUM, "latin1");
  return block;
}

/** Zeros after a file's bytes, up to the next block. */
export const paddingBytes = (sizeBytes: number): number => (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;

/** What a header says; undefined at the archive's end, and for what is not the header of an ordinary file. */
export function parseTarHeader(block: Buffer): TarEntry | undefined {
  if (block.length !== BLOCK_BYTES || block[156] !== 0x30) return undefined;
  if (Number.parseInt(text(block, CHECKSUM), 8) !== checksum(block)) return undefined;
  const sizeBytes = ((block[SIZE[0]] ?? 0) & 0x80) !== 0 ? base256(block) : Number.parseInt(text(block, SIZE), 8);
  return Number.isSafeInteger(sizeBytes) && sizeBytes >= 0 ? { name: text(block, NAME), sizeBytes } : undefined;
}

type HeaderField = readonly [offset: number, length: number];

function octal(block: Buffer, [offset, length]: HeaderField, value: number): void {
  block.write(value.toString(8).padStart(length - 1, "0"), offset, "latin1");
}

/** From 8 GiB on as GNU does it, which all of today's tars read: the top bit, then the number's bytes. */
function number(block: Buffer, field: HeaderField, value: number): void {
  if (value < 8 ** (field[1] - 1)) octal(block, field, value);
  else {
    block[field[0]] = 0x80;
    block.writeBigUInt64BE(BigInt(value), field[0] + field[1] - 8);
  }
}

function base256(block: Buffer): number {
  const top = block.readUIntBE(SIZE[0], 4) - 0x80000000;
  return top === 0 ? Number(block.readBigUInt64BE(SIZE[0] + SIZE[1] - 8)) : Number.NaN;
}

/** Sum of the bytes, the checksum's own taken for spaces. */
function checksum(block: Buffer): number {
  const [offset, length] = CHECKSUM;
  return block.reduce((sum, byte, at) => sum + (at >= offset && at < offset + length ? 0x20 : byte), 0);
}

/** Up to the first NUL. */
function text(block: Buffer, [offset, length]: HeaderField): string {
  return block.toString("latin1", offset, offset + length).split("\0", 1)[0] ?? "";
}
