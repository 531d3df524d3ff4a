/** A file of some pages at most, synchronously: no link, no pipe, and no longer than it can be by rights. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { constants as os } from "node:os";

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** What we and the engines keep as JSON has kilobytes; an engine's answer, which is kept as it came, may have so much. */
export const SMALL_FILE_BYTES = 4 << 20;

/**
 * All of it, as long as it was when it was opened.
 * @throws the errno of open(2) or read(2); EFBIG when it is longer; EINVAL when it is not a file
 */
export function readSmall(path: string, mostBytes = SMALL_FILE_BYTES): Buffer {
  const fd = openSync(path, FLAGS);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw failed("EINVAL", "not a file", path);
    if (stat.size > mostBytes) throw failed("EFBIG", `longer than ${mostBytes} bytes`, path);
    const bytes = Buffer.allocUnsafe(stat.size);
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}

/** As Node's own are. */
const failed = (code: "EFBIG" | "EINVAL", why: string, path: string): Error =>
  Object.assign(new Error(`${code}: ${why}, read '${path}'`), { code, errno: -os.errno[code], path });
