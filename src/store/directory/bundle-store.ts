/** A directory store as the collector needs it: list, remove, mark. */
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, lstat, open, opendir, readFile, rename, rm, rmdir } from "node:fs/promises";
import { DumpError, errnoOf } from "../../domain/failures.ts";
import type { BundleStore, ListedFile, Unfinished } from "../ports/bundle-store.ts";
import { fileFailure } from "../ports/failures.ts";
import { isPlain } from "../ports/location.ts";
import { folderOf } from "./folder.ts";

/** As deep as a key is, and a bit: a foreign tree is not ours to walk. */
const DEPTH = 6;
const PART = /^\.(.+)\.part$/;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const MAX_NOTE_BYTES = 64 << 20;

/** A mounted volume. No link below its directory is followed, and only plain files are looked at. */
export class DirectoryStore implements BundleStore {
  readonly volume: string;

  constructor(directory: string) {
    this.volume = directory;
  }

  async *list(folder: string, signal: AbortSignal): AsyncGenerator<ListedFile> {
    for await (const { key, path } of this.#files(folder, signal)) {
      if ((key.split("/").at(-1) ?? "").startsWith(".")) continue;
      const stat = await lstat(path).catch(unlessGone);
      if (stat?.isFile()) yield { key, sizeBytes: stat.size, modified: stat.mtime };
    }
  }

  async remove(key: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#in(key, `remove ${key} from`, async (folder) => {
      await rm(folder.names.file, { force: true });
      await folder.directory.sync();
    });
    await this.#prune(key);
  }

  async *unfinished(signal: AbortSignal): AsyncGenerator<Unfinished> {
    for await (const { key, path } of this.#files("", signal)) {
      const at = key.lastIndexOf("/") + 1;
      const name = PART.exec(key.slice(at))?.[1];
      const stat = name === undefined ? undefined : await lstat(path).catch(unlessGone);
      // A writer that is still at work makes it younger.
      if (stat?.isFile()) yield { key: key.slice(0, at) + name, begun: stat.mtime, id: String(stat.ino) };
    }
  }

  async abort({ key, id }: Unfinished, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#in(key, `discard ${key} in`, async ({ names: { part } }) => {
      if (String((await lstat(part)).ino) === id) await rm(part, { force: true });
    });
    await this.#prune(key);
  }

  async readNote(name: string, signal: AbortSignal): Promise<string | undefined> {
    signal.throwIfAborted();
    return await this.#in(name, `read ${name} in`, async ({ names: { file } }) => {
      await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const stat = await handle.stat();
      if (!stat.isFile() || stat.size > MAX_NOTE_BYTES)
        throw new DumpError("STORE_CORRUPT", `Cannot read ${name} in ${this.volume}: it is not one of our files`);
      return await readFile(handle, "utf8");
    });
  }

  async writeNote(name: string, text: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#in(name, `write ${name} into`, async ({ directory, names: { file } }) => {
      const part = `${file}.${randomUUID()}.new`;
      try {
        await using handle = await open(part, NEW_FILE, 0o640);
        await handle.writeFile(text);
        await handle.sync();
      } catch (error) {
        await rm(part, { force: true });
        throw error;
      }
      await rename(part, file);
      await directory.sync();
    });
  }

  /** All directory entries that are no directories, by the paths of descriptors: valid until the next one is asked for. */
  async *#files(folder: string, signal: AbortSignal): AsyncGenerator<{ key: string; path: string }> {
    try {
      const top = await this.#opened(folder);
      if (top) yield* walk(top, folder, DEPTH, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw fileFailure(error, `list ${folder || "all"} in ${this.volume}`);
    }
  }

  async #opened(folder: string): Promise<FileHandle | undefined> {
    if (folder !== "" && !isPlain(folder.slice(0, -1))) return undefined;
    const inside = await folderOf(this.volume, `${folder}x`, "look").catch(unlessGone);
    return inside?.directory;
  }

  /** With the folder of that key open; undefined where it, or the file, is not there. */
  async #in<T>(key: string, act: string, work: (folder: Awaited<ReturnType<typeof folderOf>>) => Promise<T>) {
    try {
      if (!isPlain(key)) return undefined;
      await using folder = await folderOf(this.volume, key, "look");
      return await work(folder);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw fileFailure(error, `${act} ${this.volume}`);
    }
  }

  /** Folders that are empty now. An upload that is about to begin in one of them fails, and creates it again the next time. */
  async #prune(key: string): Promise<void> {
    for (let folder = parentOf(key); folder !== ""; folder = parentOf(folder)) {
      try {
        await using parent = await folderOf(this.volume, folder, "look");
        await rmdir(parent.names.file);
      } catch {
        return;
      }
    }
  }
}

/** Closes what it was given. */
async function* walk(
  directory: FileHandle,
  folder: string,
  depth: number,
  signal: AbortSignal,
): AsyncGenerator<{ key: string; path: string }> {
  await using _ = directory;
  const path = `/proc/self/fd/${directory.fd}`;
  for await (const entry of await opendir(path)) {
    signal.throwIfAborted();
    const key = folder + entry.name;
    if (!entry.isDirectory()) yield { key, path: `${path}/${entry.name}` };
    else if (depth > 1) {
      const below = await open(`${path}/${entry.name}`, DIRECTORY).catch(unlessNotOurs);
      if (below) yield* walk(below, `${key}/`, depth - 1, signal);
    }
  }
}

const parentOf = (key: string): string => key.slice(0, Math.max(key.lastIndexOf("/"), 0));

function unlessGone(error: unknown): undefined {
  if (errnoOf(error) !== "ENOENT") throw error;
}

/** Gone, or turned into a link since we read its name. */
function unlessNotOurs(error: unknown): undefined {
  if (!["ENOENT", "ELOOP", "ENOTDIR"].includes(errnoOf(error) ?? "")) throw error;
}
