/** Files that root alone can have written. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** What we keep in such files is a few lines. */
const MOST_BYTES = 64 << 10;

/**
 * The text of a file that decides what root does: only a file of root's (or, in trials, our own) that no other can write, and
 * no link. Judged by its descriptor, so that it is not another by the time that it is read.
 * @returns undefined for any other, and where there is none
 */
export function readTrusted(path: string): string | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, FLAGS);
    const { uid, mode, size } = fstatSync(fd);
    const isRegular = (mode & constants.S_IFMT) === constants.S_IFREG;
    const isRoots = uid === 0 || uid === process.getuid?.();
    return isRegular && isRoots && (mode & 0o022) === 0 && size <= MOST_BYTES ? readFileSync(fd, "utf8") : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
