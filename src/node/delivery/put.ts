/**
 * A core into a directory that its container writes in as well: links, pipes, names taken, all of it gone in between.
 * Only single names are used, below the directory's descriptor, and what they name is never opened: only made.
 */
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  type Stats,
  statfsSync,
  unlinkSync,
} from "node:fs";
import { basename } from "node:path";
import { errnoOf } from "../../domain/failures.ts";
import { formatBytes } from "../../domain/units.ts";
import { dataEnd, linkDescriptor, nextData } from "../../system/ffi.ts";
import { writeAllAtSync } from "../../system/io.ts";
import { type Ids, Undeliverable } from "./job.ts";

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_DIRECTORY } = constants;
const PIECE_BYTES = 1 << 20;
const STRETCH_BYTES = 64 << 20;

interface Names {
  readonly name: string;
  /** Until it is whole. */
  readonly part: string;
}

export interface Core {
  readonly fd: number;
  readonly bytes: number;
}

/**
 * Whole under its final name, and on the disk, when it returns. Doing it again is harmless, wherever it was killed.
 * @param owner   undefined: our own ids
 * @param onPiece called now and then while it is copied
 * @throws Undeliverable VolumeFull, NameTaken; else the errno of what failed. Nothing of it is left then
 */
export function putCore(
  directory: number,
  name: string,
  core: Core,
  owner: Ids | undefined,
  onPiece: () => void,
): void {
  const at = (file: string) => `/proc/self/fd/${directory}/${file}`;
  const part = `.${name}.part`;
  const isDone = isThere(at(name), core); // its writer was killed after that
  removeOurs(at(part)); // of one that was killed
  if (isDone) return;
  assertRoom(directory, core);
  const fd = create(at(part));
  try {
    copy(core, fd, onPiece, () => {
      fsyncSync(fd); // a volume that takes long for it shall not take long for all at once
      assertRoom(directory);
    });
    if (owner) fchownSync(fd, owner.uid, owner.gid);
    fsyncSync(fd);
    publish(fd, directory, { name, part }, core);
  } finally {
    closeSync(fd);
    removeOurs(at(part));
  }
  flushDirectory(at("."));
}

function create(path: string): number {
  try {
    return openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    throw new Undeliverable("NameTaken", `the container put something under the name ${basename(path)}`);
  }
}

/** Of our length and a file: it can only have got there whole. @throws Undeliverable NameTaken when it is anything else */
function isThere(path: string, { bytes }: Core): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return false;
  if (found.isFile() && found.size === bytes) return true;
  throw new Undeliverable("NameTaken", "the container put something else under the core's name");
}

/** Root may fill a file system beyond what others may, which is not for us. Some volumes cannot tell: then it is tried. */
function assertRoom(directory: number, core?: Core): void {
  const { bavail, bsize, blocks } = statfsSync(`/proc/self/fd/${directory}`, { bigint: true });
  const wantedBytes = core ? BigInt(fstatSync(core.fd).blocks) * 512n : 1n;
  if (blocks > 0n && bavail * bsize < wantedBytes)
    throw new Undeliverable(
      "VolumeFull",
      `the volume has ${formatBytes(bavail * bsize)} left, the core takes ${formatBytes(wantedBytes)}`,
      true,
    );
}

/** Its data only: what was a hole stays one. */
function copy({ fd: from, bytes }: Core, to: number, onPiece: () => void, onStretch: () => void): void {
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  let copiedBytes = 0;
  ftruncateSync(to, bytes); // too long for this volume? Said before the first byte
  for (let at = nextData(from, 0, bytes); at < bytes; at = nextData(from, at, bytes)) {
    for (const end = dataEnd(from, at, bytes); at < end; ) {
      const length = readSync(from, buffer, 0, Math.min(PIECE_BYTES, end - at), at);
      if (length === 0) throw new Undeliverable("CoreGone", "the core in the cache was cut short");
      writeAllAtSync(to, buffer.subarray(0, length), BigInt(at));
      at += length;
      copiedBytes += length;
      onPiece();
      if (copiedBytes >= STRETCH_BYTES) {
        onStretch();
        copiedBytes = 0;
      }
    }
  }
}

/** File systems without hard links say one of these. */
const NO_LINKS: ReadonlySet<string> = new Set(["EPERM", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** The descriptor gets the name: what the container made of the hidden one meanwhile does not matter. */
function publish(fd: number, directory: number, { name, part }: Names, core: Core): void {
  const at = (file: string) => `/proc/self/fd/${directory}/${file}`;
  try {
    linkDescriptor(fd, directory, name);
  } catch (error) {
    const errno = errnoOf(error) ?? "";
    const isUnlinkable = NO_LINKS.has(errno);
    if (!isUnlinkable && errno !== "EEXIST") throw error;
    if (isThere(at(name), core)) return;
    if (!isSame(fstatSync(fd), lstatSync(at(part)))) throw error;
    renameSync(at(part), at(name));
  }
}

const isSame = (a: Stats, b: Stats): boolean => a.ino === b.ino && a.dev === b.dev;

/** Our hidden name; a directory in its place is the container's, and stays. */
function removeOurs(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "EISDIR") throw error;
  }
}

/** Where the directory may not be read, or its file system knows no such thing, the name is durable a little later. */
function flushDirectory(path: string): void {
  try {
    const fd = openSync(path, O_RDONLY | O_DIRECTORY);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    // The core itself is on the disk, and under its name for everybody.
  }
}
