/**
 * `FILE.part`: a download under way. The bytes are where they belong; after the length that the whole will have, a line says what
 * has come and of what. Nothing is synced: whether the bytes are right, the checksum says at the end.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  linkSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
} from "node:fs";
import { DumpError } from "../../domain/failures.ts";
import type { ByteRange } from "../../domain/units.ts";
import { tryFlock } from "../../system/ffi.ts";
import { writeAllAtSync, writeAt } from "../../system/io.ts";
import { dataRuns } from "../../system/zeros.ts";
import { unwritable, writing } from "../output/sinks.ts";

const SAVE_EVERY_MS = 1000;
/** A line about some thousand ranges; ours have a handful. */
const MAX_LINE_BYTES = 1 << 16;

interface Identity {
  readonly etag: string;
  readonly lengthBytes: number;
}

interface ProgressLine extends Identity {
  readonly done: readonly ByteRange[];
}

export class PartFile implements Disposable {
  readonly path: string;
  readonly fd: number;
  readonly #target: string;
  readonly #of: Identity;
  #done: readonly ByteRange[];
  #savedAtMs = performance.now();
  #finished = false;

  /** @throws DumpError OUTPUT_UNWRITABLE, also while another process has it */
  constructor(target: string, of: Identity) {
    this.#target = target;
    this.path = `${target}.part`;
    this.#of = { etag: of.etag, lengthBytes: of.lengthBytes };
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
    this.fd = writing(target, () => openSync(this.path, flags, 0o600));
    if (!tryFlock(this.fd)) {
      closeSync(this.fd);
      throw new DumpError("OUTPUT_UNWRITABLE", `Cannot write ${this.path}: another download is writing it`);
    }
    this.#done = this.#read();
    if (this.#done.length === 0) ftruncateSync(this.fd, 0);
  }

  /** How much was there already. */
  get doneBytes(): number {
    return this.#done.reduce((sum, { fromBytes, toBytes }) => sum + toBytes - fromBytes, 0);
  }

  /** What is still to come, in order. */
  missing(): ByteRange[] {
    const ends = [...this.#done.map(({ toBytes }) => toBytes)];
    const starts = [...this.#done.map(({ fromBytes }) => fromBytes), this.#of.lengthBytes];
    return starts
      .map((toBytes, at) => ({ fromBytes: ends[at - 1] ?? 0, toBytes }))
      .filter(({ fromBytes, toBytes }) => fromBytes < toBytes);
  }

  async write(chunk: Buffer, atBytes: number): Promise<void> {
    try {
      for (const [from, to] of dataRuns(chunk)) await writeAt(this.fd, chunk, from, to, BigInt(atBytes + from));
    } catch (cause) {
      throw unwritable(this.path, cause);
    }
    this.#done = joined(this.#done, { fromBytes: atBytes, toBytes: atBytes + chunk.length });
    if (performance.now() - this.#savedAtMs > SAVE_EVERY_MS) this.#save();
  }

  /** All bytes are there, and the line says so: if we are killed while they are checked, the next run has nothing to fetch. */
  complete(): void {
    this.#save();
  }

  /** @param replace whether a file of that name may go */
  publish(replace: boolean): void {
    this.#finished = true;
    writing(this.#target, () => {
      ftruncateSync(this.fd, this.#of.lengthBytes); // without the line
      if (replace) return renameSync(this.path, this.#target);
      linkSync(this.path, this.#target); // unlike rename, it fails where a file has appeared meanwhile
      rmSync(this.path);
    });
  }

  /** The bytes are not what they should be: nothing to go on from. */
  discard(): void {
    this.#finished = true;
    rmSync(this.path, { force: true });
  }

  [Symbol.dispose](): void {
    try {
      if (this.#finished) return;
      if (this.#done.length > 0) this.#save();
      else rmSync(this.path, { force: true }); // nothing to go on from
    } finally {
      closeSync(this.fd);
    }
  }

  #save(): void {
    this.#savedAtMs = performance.now();
    const line = Buffer.from(`\n${JSON.stringify({ ...this.#of, done: this.#done })}\n`);
    writing(this.path, () => {
      ftruncateSync(this.fd, this.#of.lengthBytes); // the line before this one, which may have been longer
      writeAllAtSync(this.fd, line, BigInt(this.#of.lengthBytes));
    });
  }

  /** What has come, if it is of the same thing; torn or foreign lines are nothing. */
  #read(): readonly ByteRange[] {
    const lineBytes = fstatSync(this.fd).size - this.#of.lengthBytes;
    if (lineBytes <= 0 || lineBytes > MAX_LINE_BYTES) return [];
    const bytes = Buffer.alloc(lineBytes);
    readSync(this.fd, bytes, 0, lineBytes, this.#of.lengthBytes);
    const line = lineIn(bytes.toString());
    if (line?.etag !== this.#of.etag || line.lengthBytes !== this.#of.lengthBytes) return [];
    return line.done.reduce<readonly ByteRange[]>(joined, []);
  }
}

function lineIn(text: string): ProgressLine | undefined {
  try {
    const line = JSON.parse(text) as ProgressLine;
    const whole = ({ fromBytes, toBytes }: ByteRange): boolean =>
      Number.isSafeInteger(fromBytes) && Number.isSafeInteger(toBytes) && 0 <= fromBytes && fromBytes < toBytes;
    return line.done.every((range) => whole(range) && range.toBytes <= line.lengthBytes) ? line : undefined;
  } catch {
    return undefined;
  }
}

/** Sorted, apart from one another. */
export function joined(ranges: readonly ByteRange[], more: ByteRange): readonly ByteRange[] {
  const before = ranges.filter(({ toBytes }) => toBytes < more.fromBytes);
  const behind = ranges.filter(({ fromBytes }) => fromBytes > more.toBytes);
  const touched = [...ranges.slice(before.length, ranges.length - behind.length), more];
  const fromBytes = Math.min(...touched.map((range) => range.fromBytes));
  const toBytes = Math.max(...touched.map((range) => range.toBytes));
  return [...before, { fromBytes, toBytes }, ...behind];
}
