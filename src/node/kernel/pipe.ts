/** The pipe on which the kernel hands a core over. */
import { closeSync, readSync } from "node:fs";
import { enlargePipe } from "../../system/ffi.ts";
import { readAt } from "../../system/io.ts";

/** What the kernel's limit for unprivileged pipes allows, and what makes 1 GB cost some thousand reads, not 16,000. */
const PIPE_BYTES = 1 << 20;
/** Others in the cgroup go on allocating meanwhile. */
const ROOM_FACTOR = 16;

/** A pipe's size before anybody changes it (pipe(7)). */
const FIRST_BYTES = 64n << 10n;

/** The kernel's end of the dump: bytes come once, in order. Closing it releases the crashed process. */
export class CorePipe {
  readonly fd: number;
  /** Bytes taken so far: the position in the core. */
  positionBytes = 0n;
  ended = false;
  #open = true;

  constructor(fd: number) {
    this.fd = fd;
  }

  /**
   * For taking all of the core through it, and only once the facts are read: with core_pipe_limit 0 a core that fits lets
   * the process vanish. The pipe's pages are charged to the cgroup of the process that writes, the crashed one
   * (architecture.md, rule 10); where it has not much more room than that, the kernel would end the dump to make some.
   *
   * @param roomBytes  of that cgroup; undefined: unknown, so not at all
   */
  enlarge(roomBytes: number | undefined): void {
    if (roomBytes !== undefined && roomBytes >= PIPE_BYTES * ROOM_FACTOR) enlargePipe(this.fd, PIPE_BYTES);
  }

  /** Fills `buffer[from, to)` unless the stream ends first. @returns the index after the last byte */
  async fill(buffer: Buffer, from: number, to: number): Promise<number> {
    let at = from;
    while (at < to && !this.ended) {
      // What fits the kernel's first pipe is there already, or comes at once: no thread need be started for it.
      const now = this.positionBytes < FIRST_BYTES;
      const bytes = now
        ? readSync(this.fd, buffer, at, to - at, null)
        : await readAt(this.fd, buffer.subarray(at, to), to - at, null);
      if (bytes === 0) this.ended = true;
      at += bytes;
      this.positionBytes += BigInt(bytes);
    }
    return at;
  }

  /** Releases the process (core_pipe_limit > 0: it is held until the read end is closed). Harmless when repeated. */
  release(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.fd);
  }
}
