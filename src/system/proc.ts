/** `/proc/P` by one descriptor, and files of /proc up to a bound. */
import { closeSync, constants, opendirSync, openSync, readlinkSync, readSync } from "node:fs";
import { errnoOf } from "../domain/failures.ts";

/** Of any file in /proc that has no bound of its own: a process chooses how long some of them are. */
export const PROC_FILE_BYTES = 64 << 10;

interface BoundedFile {
  readonly bytes: Buffer;
  /** Whether there was more. */
  readonly cut: boolean;
}

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * One process's directory in /proc, opened once. Everything is read through that descriptor, so a pid that is reused
 * meanwhile yields ESRCH, never another process's facts (CVE-2025-4598, CVE-2025-5054).
 */
export class ProcDirectory implements Disposable {
  readonly fd: number;

  /** @throws the errno of open(2): ENOENT when there is no such process */
  constructor(path: string) {
    this.fd = openSync(path, DIRECTORY);
  }

  /** A path that resolves through the descriptor: Node has no openat(2). */
  path(name: string): string {
    return `/proc/self/fd/${this.fd}/${name}`;
  }

  /** A file's first bytes, or undefined when it cannot be read (no such file, no right, no process any more). */
  read(name: string): Buffer | undefined {
    return this.readUpTo(name, PROC_FILE_BYTES)?.bytes;
  }

  /** The same, with a bound of its own and whether it was reached. */
  readUpTo(name: string, mostBytes: number): BoundedFile | undefined {
    return readable(() => readUpTo(this.path(name), mostBytes));
  }

  /** A symbolic link's target, byte for byte. */
  link(name: string): Buffer | undefined {
    return readable(() => readlinkSync(this.path(name), { encoding: "buffer" }));
  }

  /** The first `most` names in a directory; none when it cannot be read. */
  list(name: string, most = Number.POSITIVE_INFINITY): string[] {
    const names: string[] = [];
    readable(() => {
      using directory = opendirSync(this.path(name));
      for (let entry = directory.readSync(); entry && names.length < most; entry = directory.readSync())
        names.push(entry.name);
    });
    return names;
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

/** Where short files are read to; all here is synchronous. */
let shared: Buffer | undefined;

/**
 * The first bytes of a file that tells no size, as those of /proc do. A buffer for a long file is outside of V8's heap: of
 * what is not filled no page is ever touched. @throws the errno of open(2) or read(2)
 */
export function readUpTo(path: string, mostBytes: number): BoundedFile {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    const isShort = mostBytes <= PROC_FILE_BYTES;
    if (isShort) shared ??= Buffer.allocUnsafeSlow(PROC_FILE_BYTES + 1);
    const buffer = isShort && shared ? shared : Buffer.allocUnsafeSlow(mostBytes + 1);
    const wanted = mostBytes + 1; // one more shows that there is more
    let length = 0;
    for (let got = -1; got !== 0 && length < wanted; length += got)
      got = readSync(fd, buffer, length, wanted - length, null);
    const bytes = buffer.subarray(0, Math.min(length, mostBytes));
    return { bytes: length <= PROC_FILE_BYTES + 1 ? Buffer.from(bytes) : bytes, cut: length > mostBytes };
  } finally {
    closeSync(fd);
  }
}

/** Absence is an answer here, and so is every errno; anything else is a bug of ours. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (errnoOf(error)) return undefined;
    throw error;
  }
}

/** Fields of /proc/P/stat from the third on (proc_pid_stat(5)): comm may hold spaces and brackets, so cut after the last one. */
export function statFields(stat: Buffer): string[] {
  return stat
    .toString("latin1", stat.lastIndexOf(")") + 2)
    .trim()
    .split(" ");
}

/** Field 22: start time in clock ticks since boot; undefined in a malformed line. */
export function startTicks(stat: Buffer | undefined): number | undefined {
  const ticks = stat ? Number(statFields(stat)[19]) : Number.NaN;
  return Number.isSafeInteger(ticks) && ticks >= 0 ? ticks : undefined;
}

/** USER_HZ has been 100 on every architecture that Node runs on since Linux 2.6 (time(7)). */
export const TICK_MS = 10;

/** One value of a `Name:\tvalue` file (/proc/P/status, fdinfo). */
export function statusField(status: Buffer | undefined, name: string): string | undefined {
  const text = status?.toString("latin1") ?? "";
  const at = text.startsWith(`${name}:`) ? 0 : text.indexOf(`\n${name}:`) + 1;
  if (at === 0 && !text.startsWith(`${name}:`)) return undefined;
  const end = text.indexOf("\n", at);
  return text.slice(at + name.length + 1, end < 0 ? undefined : end).trim();
}
