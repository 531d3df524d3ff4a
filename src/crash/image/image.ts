/**
 * An ELF executable or library: its program headers, and its bytes by the addresses that it was linked for ("vaddr" here). They come
 * from the file, or where there is none from the process's memory (the vDSO; a file that could not be opened).
 */
import type { ReadAt } from "../elf/bytes.ts";
import { ELF_HEADER_BYTES, type ElfHeader, parseElf } from "../elf/header.ts";
import { type ProgramHeader, PT_LOAD, programHeaders } from "../elf/program-headers.ts";
import type { Memory } from "../process/memory.ts";
import { Pages } from "../process/pages.ts";
import { Room } from "./room.ts";
import { type Section, sectionsOf } from "./sections.ts";

/** Executables have some dozen. */
const MAX_HEADERS = 256;
const NOTHING = new Uint8Array();

export interface Image {
  readonly header: ElfHeader & { readonly type: number };
  readonly segments: readonly ProgramHeader[];
  /** The file's; undefined: only memory is known. */
  readonly file: Pages | undefined;
  /** By name; empty where there are none, as in memory. */
  readonly sections: ReadonlyMap<string, Section>;
  /** What may still be unpacked of it. */
  readonly room: Room;
  /** Bytes by vaddr, none where it has none. */
  at(vaddr: number, length: number): Uint8Array;
}

export function fileImage(read: ReadAt, room = new Room()): Image | undefined {
  const file = new Pages(read);
  const header = parseElf(file.bytes(0, ELF_HEADER_BYTES));
  if (!header) return undefined;
  const segments = [
    ...programHeaders((at, length) => file.bytes(Number(at), length), header, Math.min(header.phnum, MAX_HEADERS)),
  ];
  const loads = segments.filter(({ type }) => type === PT_LOAD);
  const at = (vaddr: number, length: number): Uint8Array => {
    const load = loads.find((each) => Number(each.vaddr) <= vaddr && vaddr < Number(each.vaddr + each.fileBytes));
    if (!load) return NOTHING;
    const within = vaddr - Number(load.vaddr);
    return file.bytes(Number(load.offsetBytes) + within, Math.min(length, Number(load.fileBytes) - within));
  };
  return { header, segments, file, sections: sectionsOf(file, header), room, at };
}

/** @param start where its ELF header lies in memory */
export function memoryImage(memory: Memory, start: bigint): { image: Image; bias: bigint } | undefined {
  const read: ReadAt = (offset, length) => memory.some(start + offset, length);
  const header = parseElf(memory.some(start, ELF_HEADER_BYTES));
  if (!header) return undefined;
  const segments = [...programHeaders(read, header, Math.min(header.phnum, MAX_HEADERS))];
  const first = segments.find(({ type }) => type === PT_LOAD);
  if (!first) return undefined;
  const bias = BigInt.asUintN(64, start - first.vaddr + first.offsetBytes);
  const at = (vaddr: number, length: number): Uint8Array =>
    Number.isSafeInteger(vaddr) ? memory.some(BigInt.asUintN(64, bias + BigInt(vaddr)), length) : NOTHING;
  return { image: { header, segments, file: undefined, sections: new Map(), room: new Room(), at }, bias };
}

/** By offset in the file; of an image in memory, whose first segment begins with its header, by vaddr. */
export const headerReader = ({ file, segments, at }: Image): ReadAt => {
  const first = Number(segments.find(({ type }) => type === PT_LOAD)?.vaddr ?? 0n);
  return file
    ? (offset, length) => file.bytes(Number(offset), length)
    : (offset, length) => at(first + Number(offset), length);
};
