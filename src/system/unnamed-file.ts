/** Files that get their name when they are whole: whatever ends us before, the kernel takes them away with their descriptor. */
import { constants, openSync } from "node:fs";
import { resolve } from "node:path";
import { errnoOf } from "../domain/failures.ts";
import { AT_FDCWD, libc, linkDescriptor } from "./ffi.ts";

/** open(2): `__O_TMPFILE`, the same on x64 and arm64, with O_DIRECTORY, so that older kernels refuse it. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
/** How file systems without such files (NFS, FAT) and old kernels say so; of a directory that is not there open(2) tells next. */
const NO_SUCH_THING: ReadonlySet<string> = new Set(["EOPNOTSUPP", "EISDIR", "EINVAL", "ENOENT", "ENOTDIR", "ENOSYS"]);

/**
 * A file without a name, to be read and written, in a directory.
 * @returns undefined where there are no such files, or none that could be named: the caller makes one with a name
 * @throws the errno of any other failure
 */
export function openUnnamed(directory: string, mode = 0o600): number | undefined {
  if (!libc()) return undefined;
  try {
    return openSync(directory, O_TMPFILE | constants.O_RDWR, mode);
  } catch (error) {
    if (NO_SUCH_THING.has(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}

/** Gives it its name. @throws the errno of linkat(2): EEXIST when the name is taken */
export const nameFile = (fd: number, path: string): void => linkDescriptor(fd, AT_FDCWD, resolve(path));
