import { closeSync, constants, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { errnoOf } from "../domain/failures.ts";

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

  /** A file's bytes, or undefined when it cannot be read (no such file, no right, no process any more). */
  read(name: string): Buffer | undefined {
    return readable(() => readFileSync(this.path(name)));
  }

  /** A symbolic link's target, byte for byte. */
  link(name: string): Buffer | undefined {
    return readable(() => readlinkSync(this.path(name), { encoding: "buffer" }));
  }

  list(name: string): string[] {
    return readable(() => readdirSync(this.path(name))) ?? [];
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
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

/** Fields of /proc/P/stat from the third on (proc_pid_stat(5)): comm may hold spaces and brackets, so cut behind the last one. */
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
