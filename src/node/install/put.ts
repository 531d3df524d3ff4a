/**
 * Files of root's, put down whole: written beside their final name, on the disk, renamed. Never in place: a handler may
 * be running from the old file, and the kernel refuses to write to that (ETXTBSY).
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { publishSync } from "../../system/durable.ts";

/** `0:0`, or in a trial that is not run by root, ourselves. */
const owner = (): [uid: number, gid: number] =>
  process.getuid?.() === 0 ? [0, 0] : [process.getuid?.() ?? 0, process.getgid?.() ?? 0];

export function makeDirectory(path: string, mode = 0o755): void {
  if (!mkdirSync(path, { recursive: true, mode })) return;
  chmodSync(path, mode); // the umask had its say
  syncDirectory(dirname(path));
}

export function sameContent(a: string, b: string): boolean {
  const [x, y] = [a, b].map((path) => lstatSync(path, { throwIfNoEntry: false }));
  if (!x?.isFile() || !y?.isFile() || x.size !== y.size) return false;
  if (x.ino === y.ino && x.dev === y.dev) return true;
  const [one, other] = [openSync(a, constants.O_RDONLY), openSync(b, constants.O_RDONLY)];
  try {
    return sameBytes(one, other);
  } finally {
    closeSync(one);
    closeSync(other);
  }
}

/** A piece at a time: the executable has some 130 MB. */
function sameBytes(one: number, other: number): boolean {
  const [a, b] = [Buffer.alloc(1 << 20), Buffer.alloc(1 << 20)];
  for (;;) {
    const read = readSync(one, a);
    if (read !== readSync(other, b) || a.compare(b, 0, read, 0, read) !== 0) return false;
    if (read === 0) return true;
  }
}

/**
 * Copies `source` beside `target`, ready for `settle()`.
 * @returns the copy's path
 * @throws the errno of the first failure; nothing is left over then
 */
export function stage(source: string, target: string, mode: number): string {
  const part = join(dirname(target), `.${basename(target)}.new`);
  rmSync(part, { force: true }); // of an install that was killed
  try {
    copyFileSync(source, part, constants.COPYFILE_EXCL);
    chownSync(part, ...owner());
    chmodSync(part, mode);
    const fd = openSync(part, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
  return part;
}

/** Gives a staged file its name, durably. */
export function settle(part: string, target: string): void {
  renameSync(part, target);
  syncDirectory(dirname(target));
}

/** A text file; @returns whether it was any different before. */
export function putText(path: string, text: string, mode = 0o644): boolean {
  makeDirectory(dirname(path));
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isFile() && (stat.mode & 0o777) === mode && readFileSync(path, "utf8") === text) return false;
  publishSync(path, Buffer.from(text), mode);
  chmodSync(path, mode);
  return true;
}

/** @returns whether it was there */
export function remove(path: string): boolean {
  if (!lstatSync(path, { throwIfNoEntry: false })) return false;
  rmSync(path, { recursive: true, force: true });
  syncDirectory(dirname(path));
  return true;
}

export const filesIn = (directory: string): string[] => {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
};

function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Puts several files in place that belong together with one that is still to come: `undo()` brings the former ones back.
 * The former ones stay linked under another name until then.
 */
export class Replacement {
  readonly changed: string[] = [];
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  put(source: string, name: string): void {
    const target = join(this.#directory, name);
    if (sameContent(source, target)) return;
    makeDirectory(this.#directory);
    rmSync(this.#old(name), { force: true });
    if (lstatSync(target, { throwIfNoEntry: false })) linkSync(target, this.#old(name));
    settle(stage(source, target, 0o755), target);
    this.changed.push(name);
  }

  undo(): void {
    for (const name of this.changed) {
      const old = lstatSync(this.#old(name), { throwIfNoEntry: false });
      if (old) renameSync(this.#old(name), join(this.#directory, name));
      else rmSync(join(this.#directory, name), { force: true });
    }
  }

  keep(): void {
    for (const name of this.changed) rmSync(this.#old(name), { force: true });
  }

  #old(name: string): string {
    return join(this.#directory, `.${name}.old`);
  }
}
