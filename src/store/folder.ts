/**
 * A directory store's folders: opened one by one, each through its parent, and no link is followed below the store's own
 * directory: whoever can write to the volume cannot lead us out of it.
 */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { DumpError, errnoOf } from "../domain/failures.ts";

/** Read by the volume's group, where its directory hands that on (setgid): so the API server need not be root. */
const DIRECTORY_MODE = 0o750;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** A bundle's own folder, open: every name in it is reached through the descriptor. */
export interface Folder extends AsyncDisposable {
  readonly directory: FileHandle;
  readonly names: { readonly file: string; readonly part: string };
}

/** A key whose parts are names: none leads up, or to nowhere. */
export const isPlain = (key: string): boolean => !key.includes("\0") && !/(^|\/)\.{0,2}(\/|$)/.test(key);

/**
 * @param root  the store's own directory: it must be there, because making it would fill the node's disk where a volume is
 *              not mounted
 * @param key   plain
 * @throws DumpError STORE_MISSING; the errno of a folder that cannot be opened: ELOOP and ENOTDIR where somebody put a link
 */
export async function folderOf(root: string, key: string, mode: "make" | "look"): Promise<Folder> {
  const parts = key.split("/");
  const name = parts.pop() ?? "";
  let directory = await open(root, constants.O_RDONLY | constants.O_DIRECTORY).catch((cause) => {
    throw errnoOf(cause) === "ENOENT" ? missing(root, cause) : cause;
  });
  for (const part of parts) {
    await using parent = directory;
    const path = `/proc/self/fd/${parent.fd}/${part}`;
    if (mode === "make" && (await made(path))) await parent.sync();
    directory = await open(path, DIRECTORY);
  }
  const inside = (name: string) => `/proc/self/fd/${directory.fd}/${name}`;
  const names = { file: inside(name), part: inside(`.${name}.part`) };
  return { directory, names, [Symbol.asyncDispose]: () => directory.close() };
}

/** @returns whether it was not there before */
async function made(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: DIRECTORY_MODE });
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

const missing = (directory: string, cause: unknown): DumpError =>
  new DumpError("STORE_MISSING", `Cannot find the store's directory ${directory}`, {
    cause,
    hint: "mount the volume, or make the directory: it is never made by itself",
  });
