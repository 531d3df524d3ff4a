/** Which file lies where: the modules that have code, their images, and by how much they were moved ("bias"). */

import { MAX_MODULES, type ModuleState } from "../../domain/crash.ts";
import { buildIdOf } from "../elf/build-id.ts";
import type { ReadAt } from "../elf/bytes.ts";
import type { FileMapping } from "../elf/file-note.ts";
import { PT_LOAD } from "../elf/program-headers.ts";
import type { ProcessState } from "../process/core.ts";
import type { Memory } from "../process/memory.ts";
import { fileImage, headerReader, type Image, memoryImage } from "./image.ts";
import { isOverwritten } from "./overwritten.ts";
import { Room } from "./room.ts";

/** What is asked of the caller, who has the files. */
interface WantedFile {
  /** Raw bytes as Latin-1. */
  readonly path: string;
  /** Of its first mapping, as in /proc/P/maps, which knows device and inode. */
  readonly start: bigint;
}

/** The file's bytes, or why there are none. */
export type Files = (file: WantedFile) => ReadAt | Exclude<ModuleState, "read">;

export interface Module {
  readonly index: number;
  readonly path: string;
  readonly start: bigint;
  readonly end: bigint;
  readonly state: ModuleState;
  readonly image: Image | undefined;
  /** In memory minus vaddr; 0 where there is no image. */
  readonly bias: bigint;
}

const AT_SYSINFO_EHDR = 33;
const PF_X = 1;
/** arm64 may use pages of 64 KiB. */
const MAX_PAGE_BYTES = 0x10000n;
const NOTHING = new Uint8Array();

/** The modules that have executable mappings, and the vDSO; at most MAX_MODULES. */
export class Modules {
  readonly all: readonly Module[];
  /** Mapped parts of `all`, by address. */
  readonly #parts: readonly MappedPart[];

  constructor(process: ProcessState, memory: Memory, files: Files) {
    const all: Module[] = [];
    const parts: MappedPart[] = [];
    const room = new Room();
    for (const group of grouped(process).slice(0, MAX_MODULES - 1)) {
      const module = moduleOf(all.length, group, process, { memory, files, room });
      all.push(module);
      for (const { start, end, offsetBytes } of group) parts.push({ start, end, offset: Number(offsetBytes), module });
    }
    const vdso = vdsoOf(process, memory, all.length);
    if (vdso) {
      all.push(vdso);
      parts.push({ start: vdso.start, end: vdso.end, offset: 0, module: vdso });
    }
    this.all = all;
    this.#parts = parts.sort((a, b) => (a.start < b.start ? -1 : 1));
  }

  at(address: bigint): Module | undefined {
    return this.#part(address)?.module;
  }

  /** Whether a module's own headers say that there is code. */
  hasCode(address: bigint): boolean {
    const module = this.at(address);
    const vaddr = module && BigInt.asUintN(64, address - module.bias);
    return (
      module?.image?.segments.some(
        (load) =>
          load.type === PT_LOAD &&
          load.flags & PF_X &&
          vaddr !== undefined &&
          load.vaddr <= vaddr &&
          vaddr < load.vaddr + load.memBytes,
      ) ?? false
    );
  }

  /** What the files hold of the mapped memory. */
  bytes(address: bigint, length: number): Uint8Array {
    const part = this.#part(address);
    const file = part?.module.image?.file;
    if (!part || !file) return NOTHING;
    const left = part.end - address;
    return file.bytes(part.offset + Number(address - part.start), left < BigInt(length) ? Number(left) : length);
  }

  #part(address: bigint): MappedPart | undefined {
    let [low, high] = [0, this.#parts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#parts[middle]?.start ?? 0n) <= address) low = middle + 1;
      else high = middle;
    }
    const part = this.#parts[low - 1];
    return part && address < part.end ? part : undefined;
  }
}

interface MappedPart {
  readonly start: bigint;
  readonly end: bigint;
  readonly offset: number;
  readonly module: Module;
}

function vdsoOf({ auxv, segments }: ProcessState, memory: Memory, index: number): Module | undefined {
  const start = auxv.get(AT_SYSINFO_EHDR);
  const segment = start === undefined ? undefined : segments.at(start);
  const held = start === undefined ? undefined : memoryImage(memory, start);
  if (start === undefined || !segment || !held) return undefined;
  return { index, path: "[vdso]", start, end: segment.end, state: "read", ...held };
}

/** Runs of mappings of one file, each beginning at offset 0: a library that was loaded twice is there twice. */
function grouped({ mappings, segments }: ProcessState): FileMapping[][] {
  const groups: { parts: FileMapping[]; executable: boolean }[] = [];
  const latest = new Map<string, { parts: FileMapping[]; executable: boolean }>();
  for (const mapping of mappings) {
    let group = latest.get(mapping.path);
    if (!group || (mapping.offsetBytes === 0n && group.executable)) {
      group = { parts: [], executable: false };
      latest.set(mapping.path, group);
      groups.push(group);
    }
    group.parts.push(mapping);
    group.executable ||= segments.at(mapping.start)?.executable ?? true; // debuggers leave out what they did not write
  }
  return groups.filter(({ executable }) => executable).map(({ parts }) => parts);
}

function moduleOf(
  index: number,
  parts: FileMapping[],
  process: ProcessState,
  { memory, files, room }: { memory: Memory; files: Files; room: Room },
): Module {
  const [first, last] = [parts[0], parts.at(-1)];
  const [path, start, end] = [first?.path ?? "", first?.start ?? 0n, last?.end ?? 0n];
  const file = files({ path, start });
  const named = { index, path, start, end };
  const held = first?.offsetBytes === 0n ? memoryImage(memory, start) : undefined;
  const unread = { ...named, image: held?.image, bias: held?.bias ?? 0n };
  if (typeof file === "string") return { ...unread, state: file };
  const image = fileImage(file, room);
  if (!image) return { ...unread, state: "unsupported" };
  if (held && !isSameBuild(image, held.image)) return { ...unread, state: "changed" };
  const bias = biasOf(image, parts, process);
  if (bias === undefined || isOverwritten(image, bias, memory)) return { ...unread, state: "changed" };
  return { ...named, state: "read", image, bias };
}

/** Names out of another build are worse than none. */
function isSameBuild(file: Image, memory: Image): boolean {
  const [wanted, given] = [buildIdOf(headerReader(memory)), buildIdOf(headerReader(file))];
  return wanted === undefined || wanted === given;
}

/** Where the code was linked for and where it lies. */
function biasOf(image: Image, parts: readonly FileMapping[], { segments }: ProcessState): bigint | undefined {
  const code = image.segments.filter(({ type, flags }) => type === PT_LOAD && flags & PF_X);
  for (const part of parts) {
    if (segments.at(part.start)?.executable === false) continue;
    const load = code.find(
      // The mapping begins on a page's border before it.
      ({ offsetBytes, fileBytes }) =>
        offsetBytes < part.offsetBytes + MAX_PAGE_BYTES && part.offsetBytes < offsetBytes + fileBytes,
    );
    if (load) return BigInt.asUintN(64, part.start - part.offsetBytes + load.offsetBytes - load.vaddr);
  }
  return undefined;
}
