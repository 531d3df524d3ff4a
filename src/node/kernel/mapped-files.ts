/**
 * The files whose code the crashed process had mapped: the very ones, also when they were deleted or lie in another mount
 * namespace (/proc/P/map_files, proc(5)). While the process is held they are only opened as paths (O_PATH), which waits for
 * no server; they are read after its release. A descriptor keeps a file system from being unmounted, so none lives long.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { ProcDirectory, statusField } from "../../system/proc.ts";
import type { CrashedProcess } from "./crashed-process.ts";
import { localDevices, machineMounts, O_PATH } from "./local-files.ts";
import { codeMappings, fileAt } from "./memory-map.ts";

const O_NOATIME = 0o1000000;
const MAX_FILES = 1024;
/** A mount is kept from going away for no longer. */
const MAX_OPEN_MS = 5000;
const ELF_MAGIC = 0x7f454c46;
const NO_MAPS = Buffer.alloc(0);

export class MappedFiles implements Disposable {
  /** By device and inode; undefined: it is not to be opened, or could not be. */
  readonly #fds = new Map<string, number | undefined>();
  readonly #reading: number[] = [];
  #maps: Buffer;
  #expires = Number.POSITIVE_INFINITY;

  /** Call it while the process is held. */
  constructor(process: CrashedProcess) {
    this.#maps = process.facts.get("maps") ?? NO_MAPS;
    const isLocal = localDevices(process.facts.get("mountinfo"), machineMounts);
    using other = mapFilesOf(process);
    for (const { start, end, file, device } of codeMappings(this.#maps)) {
      if (this.#fds.has(file)) continue;
      if (this.#fds.size >= MAX_FILES) break;
      // The kernel's names are not padded, where /proc/P/maps pads to eight digits.
      const path = other.directory.path(`map_files/${unpadded(start)}-${unpadded(end)}`);
      this.#fds.set(file, isLocal(device) ? opened(path, O_PATH) : undefined);
    }
  }

  /** The process is released: from now on the files may be read, for a while. */
  released(): void {
    this.#expires = performance.now() + MAX_OPEN_MS;
  }

  /** @param start where the file's first mapping begins. @returns undefined when it was not opened, or is not an ELF file */
  reader(start: bigint): ((offsetBytes: bigint, lengthBytes: number) => Uint8Array) | undefined {
    const fd = this.#fds.get(fileAt(this.#maps, start) ?? "");
    if (fd === undefined || !fstatSync(fd).isFile()) return undefined;
    const readable = this.#reopened(fd);
    if (readable === undefined) return undefined;
    let buffer = Buffer.alloc(4096);
    return (offsetBytes, lengthBytes) => {
      if (performance.now() > this.#expires) throw new Error("the time for reading files is over");
      if (buffer.length < lengthBytes) buffer = Buffer.alloc(lengthBytes);
      return buffer.subarray(0, readSync(readable, buffer, 0, lengthBytes, Number(offsetBytes)));
    };
  }

  #reopened(fd: number): number | undefined {
    const readable = opened(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK | O_NOATIME);
    if (readable === undefined) return undefined;
    this.#reading.push(readable);
    const magic = Buffer.alloc(4);
    readSync(readable, magic, 0, 4, 0);
    return magic.readUInt32BE() === ELF_MAGIC ? readable : undefined;
  }

  [Symbol.dispose](): void {
    for (const fd of [...this.#fds.values(), ...this.#reading.splice(0)]) if (fd !== undefined) closeSync(fd);
    this.#fds.clear();
    this.#maps = NO_MAPS;
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
