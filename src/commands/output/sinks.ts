/** Where an extracted core can go. Bytes come in order, each `write` before the next; without `finish` nothing is done. */
import { randomBytes } from "node:crypto";
import { closeSync, constants, existsSync, ftruncateSync, linkSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { DumpError, errnoOf, reasonOf } from "../../domain/failures.ts";
import { writeAllSync, writeAt } from "../../system/io.ts";
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
    this.#fd = attempt(path, () => openSync(path, constants.O_WRONLY | constants.O_NOCTTY));
  }
  async write(chunk: Buffer): Promise<void> {
    attempt(this.#path, () => writeAllSync(this.#fd, chunk));
  }
  finish(): void {}
  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/**
 * A file that gets its name when it is whole. It holds somebody's memory: 0600, made anew, nobody's link followed.
 * Pages of zeros become holes, as they are in the cache.
 */
export class NewFile implements Sink {
  readonly #path: string;
  readonly #part: string;
  readonly #fd: number;
  readonly #replace: boolean;

  constructor(path: string, replace: boolean) {
    if (!replace && existsSync(path)) throw alreadyThere(path);
    this.#path = path;
    this.#replace = replace;
    this.#part = join(dirname(path), `.coredump-${randomBytes(6).toString("hex")}.part`);
    this.#fd = attempt(path, () => openSync(this.#part, "wx", 0o600));
    for (const signal of SIGNALS) process.on(signal, this.#interrupted);
  }

  async write(chunk: Buffer, positionBytes: bigint): Promise<void> {
    try {
      for (const [from, to] of dataRuns(chunk)) await writeAt(this.#fd, chunk, from, to, positionBytes + BigInt(from));
    } catch (cause) {
      throw unwritable(this.#path, cause);
    }
  }

  finish(lengthBytes: number): void {
    attempt(this.#path, () => {
      ftruncateSync(this.#fd, lengthBytes);
      if (this.#replace) return renameSync(this.#part, this.#path);
      linkSync(this.#part, this.#path); // unlike rename, it fails where a file has appeared meanwhile
    });
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#interrupted);
    closeSync(this.#fd);
    rmSync(this.#part, { force: true });
  }

  /** Ends as the signal would have ended us, but leaves no half file. */
  readonly #interrupted = (signal: NodeJS.Signals): void => {
    this[Symbol.dispose]();
    process.kill(process.pid, signal);
  };
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function attempt<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    if (errnoOf(cause) === "EEXIST") throw alreadyThere(path);
    throw unwritable(path, cause);
  }
}

const alreadyThere = (path: string): DumpError =>
  new DumpError("OUTPUT_UNWRITABLE", `Cannot write ${path}: it is there already`, { hint: "--force replaces it" });

const unwritable = (path: string, cause: unknown): DumpError =>
  errnoOf(cause) === "EPIPE"
    ? new DumpError("OUTPUT_CLOSED", `Cannot write ${path}: nobody reads`, { cause })
    : new DumpError("OUTPUT_UNWRITABLE", `Cannot write ${path}: ${reasonOf(cause)}`, { cause });
