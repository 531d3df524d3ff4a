/**
 * The files whose code the crashed process had mapped: the very ones, also when they were deleted or lie in another mount
 * namespace (/proc/P/map_files, proc(5)). While the process is held they are only opened as paths (O_PATH), which waits for
 * no server; they are read after its release. A descriptor keeps a file system from being unmounted, so none lives long.
 */
import { closeSync, constants, openSync, readSync, statSync } from "node:fs";
import type { ReadAt } from "../../crash/elf/bytes.ts";
import { ProcDirectory, statusField } from "../../system/proc.ts";
import type { CrashedProcess } from "./crashed-process.ts";
import { machineMounts, O_PATH, reachOf } from "./local-files.ts";
import { codeMappings, fileAt } from "./memory-map.ts";

const O_NOATIME = 0o1000000;
const MAX_FILES = 1024;
/** After the release a mount is kept from going away for no longer. */
export const MAX_OPEN_MS = 5000;
const ELF_MAGIC = 0x7f454c46;

/** Files that are open as paths: plain data, which another process of ours can read by. */
export interface OpenFiles {
  readonly maps: Buffer;
  /** By device and inode. */
  readonly fds: ReadonlyMap<string, number>;
  /** Of the process that has them open. */
  readonly pid: number;
}

export class MappedFiles implements Disposable {
  /** On file systems of this machine. */
  readonly local: OpenFiles;
  /** Those, and such as a server has: reading them may hang. undefined: there are none. */
  readonly served: OpenFiles | undefined;
  readonly #all = new Map<string, number>();

  /** Call it while the process is held: one open(2) for each file. */
  constructor(crashed: CrashedProcess) {
    const maps = crashed.facts.get("maps") ?? Buffer.alloc(0);
    const reach = reachOf(crashed.facts.get("mountinfo"), machineMounts);
    const [tried, local] = [new Set<string>(), new Map<string, number>()];
    using other = mapFilesOf(crashed);
    for (const { start, end, file, device } of codeMappings(maps)) {
      if (tried.has(file)) continue;
      if (tried.add(file).size > MAX_FILES) break;
      const kind = reach(device);
      // The kernel's names are not padded, where /proc/P/maps pads to eight digits.
      const path = other.directory.path(`map_files/${unpadded(start)}-${unpadded(end)}`);
      const fd = kind === "never" ? undefined : opened(path, O_PATH);
      if (fd === undefined) continue;
      this.#all.set(file, fd);
      if (kind === "local") local.set(file, fd);
    }
    const { pid } = process;
    this.local = { maps, fds: local, pid };
    this.served = this.#all.size > local.size ? { maps, fds: this.#all, pid } : undefined;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#all.values()) closeSync(fd);
    this.#all.clear();
  }
}

/** Reads open files, for so long from now on. */
export class FileReaders implements Disposable {
  readonly #files: OpenFiles;
  readonly #reading: number[] = [];
  readonly #expires: number;

  constructor(files: OpenFiles, openMs: number) {
    this.#files = files;
    this.#expires = performance.now() + openMs;
  }

  /** @param start where the file's first mapping begins. @returns undefined when it was not opened, or is not an ELF file */
  of(start: bigint): ReadAt | undefined {
    const { maps, fds, pid } = this.#files;
    const fd = fds.get(fileAt(maps, start) ?? "");
    const path = `/proc/${pid}/fd/${fd}`;
    const readable = fd !== undefined && statSync(path).isFile() ? this.#opened(path) : undefined;
    if (readable === undefined) return undefined;
    let buffer = Buffer.alloc(4096);
    return (offsetBytes, lengthBytes) => {
      if (performance.now() > this.#expires) throw new Error("the time for reading files is over");
      if (buffer.length < lengthBytes) buffer = Buffer.alloc(lengthBytes);
      return buffer.subarray(0, readSync(readable, buffer, 0, lengthBytes, Number(offsetBytes)));
    };
  }

  #opened(path: string): number | undefined {
    const readable = opened(path, constants.O_RDONLY | constants.O_NONBLOCK | O_NOATIME);
    if (readable === undefined) return undefined;
    this.#reading.push(readable);
    const magic = Buffer.alloc(4);
    readSync(readable, magic, 0, 4, 0);
    return magic.readUInt32BE() === ELF_MAGIC ? readable : undefined;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#reading.splice(0)) closeSync(fd);
  }
}

const unpadded = (address: string): string => address.replace(/^0+(?=.)/, "");

/** What cannot be opened is not read; its module says so. */
function opened(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags);
  } catch {
    return undefined;
  }
}

/**
 * Where map_files lies: not in task/T. Of a leader that has exited it is empty, as its link to the executable is; then the
 * crashed thread's own entry has it, if it is still that thread's (its Tgid is the process).
 */
function mapFilesOf({ main, memory, pid, facts }: CrashedProcess): { readonly directory: ProcDirectory } & Disposable {
  const own = { directory: main, [Symbol.dispose]: () => undefined };
  if (memory === main || main.link("exe") !== undefined) return own;
  try {
    const thread = new ProcDirectory(`/proc/${pid}`);
    if (statusField(thread.read("status"), "Tgid") === statusField(facts.get("status"), "Tgid"))
      return { directory: thread, [Symbol.dispose]: () => thread[Symbol.dispose]() };
    thread[Symbol.dispose]();
  } catch {
    // It is gone: no file is opened.
  }
  return own;
}
