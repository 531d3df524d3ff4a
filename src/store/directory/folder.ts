/**
 * A directory store's folders: opened one by one, each through its parent, and no link is followed below the store's own
 * directory: those who can write to the volume cannot lead us out of it.
 */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { DumpError, errnoOf } from "../../domain/failures.ts";
import { fileFailure } from "../ports/failures.ts";

const DIRECTORY_MODE = 0o750;
/** Where a directory hands its group on, that is the group of those who serve and collect: they need not be root. */
const SETGID = 0o2000;
const GROUPS_OWN = 0o070;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** A bundle's own folder, open: every name in it is reached through the descriptor. */
interface Folder extends AsyncDisposable {
  readonly directory: FileHandle;
  readonly names: { readonly file: string; readonly part: string };
}

/**
 * @param root  the store's own directory: it must be there, because making it would fill the node's disk where a volume is
 *              not mounted
 * @param key   plain
 * @throws DumpError STORE_MISSING; the errno of a folder that cannot be opened: ELOOP and ENOTDIR where there is a link
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
    const isNew = mode === "make" && (await made(path));
    if (isNew) await parent.sync();
    directory = await open(path, DIRECTORY);
    if (isNew) await share(directory);
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

/**
 * Gives the store's own directory to a group, which from now on gets all that is made in it: whoever serves and collects
 * need not be root then. @throws DumpError STORE_DENIED, STORE_MISSING
 */
export async function giveToGroup(root: string, gid: number): Promise<void> {
  try {
    await using directory = await open(root, constants.O_RDONLY | constants.O_DIRECTORY);
    const { uid, gid: now, mode } = await directory.stat();
    if (now !== gid) await directory.chown(uid, gid);
    const wanted = (mode & 0o7777) | SETGID | GROUPS_OWN;
    if ((mode & 0o7777) !== wanted || now !== gid) await directory.chmod(wanted);
  } catch (error) {
    throw errnoOf(error) === "ENOENT" ? missing(root, error) : fileFailure(error, `give ${root} to group ${gid}`);
  }
}

/** The umask would keep the group from removing what is in it. */
async function share(directory: FileHandle): Promise<void> {
  const { mode } = await directory.stat();
  if (mode & SETGID) await directory.chmod((mode & 0o7777) | GROUPS_OWN);
}

const missing = (directory: string, cause: unknown): DumpError =>
  new DumpError("STORE_MISSING", `Cannot find the store's directory ${directory}`, {
    cause,
    hint: "mount the volume, or create the directory: it is never created automatically",
  });
