/** Lock files by flock(2). */
import { closeSync, constants, openSync } from "node:fs";
import { tryFlock } from "./ffi.ts";

const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

/** An exclusive lock on a file; ends with `using`, or with the process however that ends. */
export class FileLock implements Disposable {
  readonly fd: number;
  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Without waiting; undefined when another process has it. @throws the errno of open(2) */
  static try(path: string): FileLock | undefined {
    const fd = openSync(path, FLAGS, 0o600);
    if (tryFlock(fd)) return new FileLock(fd);
    closeSync(fd);
    return undefined;
  }

  /** Waits up to `waitMs`; the caller says what a lock still held means. */
  static async within(path: string, waitMs: number): Promise<FileLock | undefined> {
    for (const end = performance.now() + waitMs; ; ) {
      const lock = FileLock.try(path);
      if (lock || performance.now() >= end) return lock;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}
