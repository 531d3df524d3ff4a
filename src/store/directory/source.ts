/** A directory store as the download needs it: read. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { DumpError, errnoOf } from "../../domain/failures.ts";
import { fileFailure } from "../ports/failures.ts";
import { isPlain } from "../ports/location.ts";
import type { DumpSource, Stored } from "../ports/source.ts";
import { folderOf } from "./folder.ts";

/** Not to wait for a writer, should there be a pipe. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A mounted volume. The descriptor that a read uses is the very file that `stored` was seen in. */
export class DirectorySource implements DumpSource {
  readonly volume: string;

  constructor(directory: string) {
    this.volume = directory;
  }

  head(key: string, signal: AbortSignal): Promise<Stored> {
    return this.#with(key, signal, async (_, stored) => stored);
  }

  read(stored: Stored, fromBytes: number, lengthBytes: number, signal: AbortSignal): Promise<Buffer> {
    return this.#with(stored.key, signal, async (file, { version }) => {
      if (version !== stored.version) throw this.#changed(stored.key, "it was replaced meanwhile");
      const bytes = Buffer.allocUnsafeSlow(lengthBytes);
      for (let at = 0; at < lengthBytes; ) {
        signal.throwIfAborted();
        const { bytesRead } = await file.read(bytes, at, lengthBytes - at, fromBytes + at);
        if (bytesRead === 0) throw this.#changed(stored.key, `it ends at ${fromBytes + at}`);
        at += bytesRead;
      }
      return bytes;
    });
  }

  async #with<T>(key: string, signal: AbortSignal, use: (file: FileHandle, stored: Stored) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    try {
      if (!isPlain(key)) throw this.#none(key);
      await using folder = await folderOf(this.volume, key, "look");
      await using file = await open(folder.names.file, FLAGS);
      const stat = await file.stat({ bigint: true });
      if (!stat.isFile()) throw this.#none(key);
      const version = [stat.ino, stat.size, stat.mtimeNs].map((number) => number.toString(36)).join("-");
      return await use(file, { key, sizeBytes: Number(stat.size), version });
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENAMETOOLONG") throw this.#none(key, error);
      throw fileFailure(error, `read ${key} in ${this.volume}`);
    }
  }

  #none(key: string, cause?: unknown): DumpError {
    const why = `Cannot read ${JSON.stringify(key)} in ${this.volume}: nothing is there`;
    return new DumpError("NOT_FOUND", why, { cause });
  }

  #changed(key: string, why: string): DumpError {
    return new DumpError("STORE_CORRUPT", `Cannot read ${key} in ${this.volume}: ${why}`, {
      hint: "try again; if it stays so, another program writes to the store, or it is damaged",
    });
  }
}
