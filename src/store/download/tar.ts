/** A tar of files that are not there yet: its length and any range of it are known before one byte was fetched. */
import { END_BYTES, paddingBytes, tarHeader } from "../bundle/tar.ts";

/** A file, or a piece of one: bytes that can be read from any place on. */
interface TarPiece {
  readonly lengthBytes: number;
  read(fromBytes: number, toBytes: number, signal: AbortSignal): AsyncIterable<Buffer>;
}

export interface TarFile extends TarPiece {
  /** ASCII. */
  readonly path: string;
  readonly mtime: Date;
}

export function tarOf(files: readonly TarFile[]): TarPiece {
  const pieces = files.flatMap((file) => [
    bytes(headerOf(file)),
    file,
    bytes(Buffer.alloc(paddingBytes(file.lengthBytes))),
  ]);
  return joined([...pieces, bytes(Buffer.alloc(END_BYTES))]);
}

/** A name's place in a header. */
const MAX_NAME = 100;

/** A longer path takes a header of its own before the file's (pax, POSIX.1-2001), which all of today's tars read. */
function headerOf({ path, lengthBytes: sizeBytes, mtime }: TarFile): Buffer {
  const header = tarHeader({ name: path.slice(0, MAX_NAME), sizeBytes }, mtime);
  if (path.length <= MAX_NAME) return header;
  const record = Buffer.from(paxRecord("path", path));
  return Buffer.concat([
    tarHeader({ name: "pax", sizeBytes: record.length }, mtime, "x"),
    record,
    Buffer.alloc(paddingBytes(record.length)),
    header,
  ]);
}

/** `<length> <key>=<value>\n`, where the length counts its own digits, too. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (`${length}${rest}`.length !== length) length = `${length}${rest}`.length;
  return `${length}${rest}`;
}

const bytes = (content: Buffer): TarPiece => ({
  lengthBytes: content.length,
  async *read(from, to) {
    if (from < to) yield content.subarray(from, to);
  },
});

function joined(pieces: readonly TarPiece[]): TarPiece {
  return {
    lengthBytes: pieces.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0),
    async *read(fromBytes, toBytes, signal) {
      let begin = 0;
      for (const piece of pieces) {
        const [from, to] = [Math.max(0, fromBytes - begin), Math.min(piece.lengthBytes, toBytes - begin)];
        if (from < to) yield* piece.read(from, to, signal);
        begin += piece.lengthBytes;
      }
    },
  };
}
