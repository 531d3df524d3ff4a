/** Where an extracted core can go. Bytes come in order, each `write` before the next; without `finish` nothing is done. */
import { randomBytes } from "node:crypto";
import { closeSync, constants, existsSync, ftruncateSync, linkSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { DumpError, errnoOf, reasonOf } from "../../domain/failures.ts";
import { writeAllSync, writeAt } from "../../system/io.ts";
import { nameFile, openUnnamed } from "../../system/unnamed-file.ts";
import { dataRuns } from "../../system/zeros.ts";
import { print } from "./print.ts";

export interface Sink extends Disposable {
  write(chunk: Buffer, positionBytes: bigint): Promise<void>;
  finish(lengthBytes: number): void;
}

export class Stdout implements Sink {
  write(chunk: Buffer): Promise<void> {
    return print(chunk);
  }
  finish(): void {}
  [Symbol.dispose](): void {}
}

/** What is there already and no file: `/dev/null`, or the pipe that a shell's `>(gzip)` stands for. Never replaced. */
export class Device implements Sink {
  readonly #path: string;
  readonly #fd: number;

  constructor(path: string) {
    this.#path = path;
    this.#fd = writing(path, () => openSync(path, constants.O_WRONLY | constants.O_NOCTTY));
  }
  async write(chunk: Buffer): Promise<void> {
    writing(this.#path, () => writeAllSync(this.#fd, chunk));
  }
  finish(): void {}
  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/**
 * A file that gets its name when it is whole. It holds a process's memory: 0600, newly made, no link followed.
 * Pages of zeros become holes, as they are in the cache.
 *
 * Until then it has no name, so nothing is left of it whatever ends us (O_TMPFILE). Where the file system has no such files
 * it has a hidden one, which goes with the signals that can be caught; only SIGKILL leaves it there.
 */
export class NewFile implements Sink {
  readonly #path: string;
  readonly #part: string;
  readonly #replace: boolean;
  #fd: number | undefined;
  #hasName = false;

  /** @param unnamed  tests play a file system without such files */
  constructor(path: string, replace: boolean, unnamed: typeof openUnnamed = openUnnamed) {
    if (!replace && existsSync(path)) throw alreadyThere(path);
    this.#path = path;
    this.#replace = replace;
    this.#part = join(dirname(path), `.coredump-${randomBytes(6).toString("hex")}.part`);
    this.#fd = writing(path, () => unnamed(dirname(path)) ?? this.#named());
  }

  async write(chunk: Buffer, positionBytes: bigint): Promise<void> {
    const fd = this.#open();
    try {
      for (const [from, to] of dataRuns(chunk)) await writeAt(fd, chunk, from, to, positionBytes + BigInt(from));
    } catch (cause) {
      throw unwritable(this.#path, cause);
    }
  }

  finish(lengthBytes: number): void {
    const fd = this.#open();
    writing(this.#path, () => {
      ftruncateSync(fd, lengthBytes);
      if (this.#replace) return this.#replaceOld(fd);
      if (this.#hasName)
        linkSync(this.#part, this.#path); // unlike rename, it fails where a file has appeared meanwhile
      else nameFile(fd, this.#path);
    });
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#interrupted);
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    if (this.#hasName) rmSync(this.#part, { force: true });
  }

  /** The handlers first: a signal that comes while the file is made finds it. */
  #named(): number {
    for (const signal of SIGNALS) process.on(signal, this.#interrupted);
    this.#hasName = true;
    return openSync(this.#part, "wx", 0o600);
  }

  /** A name can be given once only, and rename(2) alone replaces: for that moment the file, whole, has a hidden one. */
  #replaceOld(fd: number): void {
    if (!this.#hasName) nameFile(fd, this.#part);
    this.#hasName = true;
    renameSync(this.#part, this.#path);
  }

  #open(): number {
    if (this.#fd === undefined) throw new Error("the file is closed");
    return this.#fd;
  }

  /** Ends as the signal would have ended us, but leaves no half file. */
  readonly #interrupted = (signal: NodeJS.Signals): void => {
    this[Symbol.dispose]();
    process.kill(process.pid, signal);
  };
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** @throws DumpError OUTPUT_UNWRITABLE, OUTPUT_CLOSED for what it throws */
export function writing<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    if (errnoOf(cause) === "EEXIST") throw alreadyThere(path);
    throw unwritable(path, cause);
  }
}

export const alreadyThere = (path: string): DumpError =>
  new DumpError("OUTPUT_UNWRITABLE", `Cannot write ${path}: it is there already`, { hint: "--force replaces it" });

export const unwritable = (path: string, cause: unknown): DumpError =>
  errnoOf(cause) === "EPIPE"
    ? new DumpError("OUTPUT_CLOSED", `Cannot write ${path}: the reader has gone`, { cause })
    : new DumpError("OUTPUT_UNWRITABLE", `Cannot write ${path}: ${reasonOf(cause)}`, { cause });
