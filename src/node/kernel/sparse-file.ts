/**
 * The core on its way to the disk: zero pages become holes, and the cache's limits are asked before each write.
 */
import { fstatSync, ftruncateSync } from "node:fs";
import type { Truncation } from "../../domain/dump.ts";
import { errnoOf } from "../../domain/failures.ts";
import { writeAllAtSync, writeAt } from "../../system/io.ts";

export const PAGE_BYTES = 4096;

/** Asked before bytes are written: may the core hold this many? Undefined means yes, else the reason why not. */
export type Allowance = (heldBytes: bigint) => Truncation | undefined | Promise<Truncation | undefined>;

/** A small core has hundreds of short runs: each costs less than the way to another thread and back. */
const AT_ONCE_BYTES = 64 << 10;

/** The bytes cannot be kept: the core ends here, for this reason. */
export class CannotKeep extends Error {
  readonly truncation: Truncation;
  /** All bytes before this one are in the file. */
  readonly atBytes: bigint;
  constructor(truncation: Truncation, atBytes: bigint, cause?: unknown) {
    super(`cannot keep more bytes: ${truncation}`, { cause });
    this.truncation = truncation;
    this.atBytes = atBytes;
  }
}

const ZEROS = Buffer.alloc(PAGE_BYTES);

export class SparseFile {
  /** Bytes written, holes not counted. */
  heldBytes = 0n;
  /** A failure is final, for all writers; the one lowest in the core counts, because they go upwards. */
  failure: CannotKeep | undefined;
  readonly fd: number;
  readonly #allowance: Allowance;
  #turn: Promise<void> = Promise.resolve();

  constructor(fd: number, allowance: Allowance) {
    this.fd = fd;
    this.#allowance = allowance;
  }

  /**
   * Writes `buffer[0, length)` at `position`, but for its zero pages. Several calls may be under way at different places:
   * they are written one after another, because two writers of one file only wait for its lock, turning (i_rwsem).
   * @throws CannotKeep when the cache or its disk says no
   */
  write(buffer: Buffer, length: number, position: bigint): Promise<void> {
    const runs = [...dataRuns(buffer, length, Number(position % BigInt(PAGE_BYTES)))]; // now, beside the write before
    const turn = this.#turn.then(async () => {
      for (const [from, to] of runs) await this.#writeRun(buffer, from, to, position + BigInt(from));
    });
    this.#turn = turn.catch(() => undefined); // reported to the one who asked for it
    return turn;
  }

  async #writeRun(buffer: Buffer, from: number, to: number, position: bigint): Promise<void> {
    this.heldBytes += BigInt(to - from);
    try {
      const no = this.failure?.truncation ?? (await this.#allowance(this.heldBytes));
      if (no) throw new CannotKeep(no, position);
      if (to - from > AT_ONCE_BYTES) await writeAt(this.fd, buffer, from, to, position);
      else writeAllAtSync(this.fd, buffer.subarray(from, to), position);
    } catch (cause) {
      if (cause instanceof CannotKeep) throw this.#fail(cause);
      const errno = errnoOf(cause);
      throw this.#fail(
        new CannotKeep(errno === "ENOSPC" || errno === "EDQUOT" ? "disk-full" : "write-failed", position, cause),
      );
    }
  }

  #fail(failure: CannotKeep): CannotKeep {
    if (!this.failure || failure.atBytes < this.failure.atBytes) this.failure = failure;
    return this.failure;
  }

  /**
   * Gives the file its length: a hole at the end is part of the core, and what comes after it is not.
   * @returns the length that it has now: less where the file system has no files that long
   */
  setLength(lengthBytes: bigint): bigint {
    const { size } = fstatSync(this.fd, { bigint: true });
    try {
      if (size !== lengthBytes) ftruncateSync(this.fd, Number(lengthBytes));
    } catch (cause) {
      return this.#fail(new CannotKeep("write-failed", size < lengthBytes ? size : lengthBytes, cause)).atBytes;
    }
    if (size > lengthBytes) this.heldBytes = fstatSync(this.fd, { bigint: true }).blocks * BigInt(BLOCK_BYTES);
    return lengthBytes;
  }
}

/** st_blocks are of this size on every file system (stat(2)). */
const BLOCK_BYTES = 512;

/** Zero pages between data are worth a hole from so many on: one write of 4 MiB is twice as fast as four of 1 MiB. */
const HOLE_BYTES = 64 << 10;

/** The stretches to write: all but zero pages, of which few between data count as data. */
function* dataRuns(buffer: Buffer, length: number, shift: number): Generator<readonly [number, number], void> {
  let from = skip("zeros", buffer, 0, length, shift);
  for (let to = from; from < length; ) {
    to = skip("data", buffer, to, length, shift);
    const next = skip("zeros", buffer, to, length, shift);
    if (next < length && next - to < HOLE_BYTES) {
      to = next;
      continue;
    }
    yield [from, to];
    from = to = next;
  }
}

/** Where the zero pages, or those with data, end that begin at `from`. Pages as they lie in the file: `shift` bytes off. */
function skip(what: "zeros" | "data", buffer: Buffer, from: number, length: number, shift: number): number {
  for (let at = from; at < length; ) {
    const next = Math.min(at + PAGE_BYTES - ((at + shift) % PAGE_BYTES), length);
    if (isZero(buffer, at, next) !== (what === "zeros")) return at;
    at = next;
  }
  return length;
}

/** The first byte decides most pages; memcmp does the rest. */
function isZero(buffer: Buffer, from: number, to: number): boolean {
  return buffer[from] === 0 && buffer[to - 1] === 0 && buffer.compare(ZEROS, 0, to - from, from, to) === 0;
}
