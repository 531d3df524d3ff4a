/**
 * NT_FILE and NT_AUXV of a core. NT_FILE (fs/binfmt_elf.c, fill_files_note; since Linux 3.7): `long count, page_size`, then start,
 * end and page offset of each mapping, then their paths, each with a NUL after it. The paths are as the process saw them.
 */
import { fieldsOf } from "./bytes.ts";
import type { Abi } from "./structures.ts";

export interface FileMapping {
  readonly start: bigint;
  readonly end: bigint;
  /** Where in the file it begins. */
  readonly offsetBytes: bigint;
  /** Any bytes but NUL, as Latin-1; ` (deleted)` after it when it was; cut after MAX_PATH_BYTES. */
  readonly path: string;
}

export const [NT_FILE, NT_AUXV] = [0x46494c45, 6];
/** The kernel writes at most 4 MiB, unless vm.core_file_note_size_limit says more. */
export const MAX_FILE_NOTE_BYTES = 16 << 20;
const MAX_PATH_BYTES = 4096 + 10; // PATH_MAX and ` (deleted)`

/** In the note's order; none where the note contradicts itself. */
export function fileMappingsIn(desc: Uint8Array, abi: Abi): FileMapping[] {
  const word = abi.bits / 8;
  if (desc.length < 2 * word) return [];
  const field = fieldsOf(desc, abi);
  const [count, pageBytes] = [Number(field.word(0)), field.word(word)];
  const pathsAt = (2 + 3 * count) * word;
  if (!Number.isSafeInteger(pathsAt) || pathsAt > desc.length) return [];
  const nextPath = pathsFrom(desc, pathsAt);
  return Array.from({ length: count }, (_, index) => {
    const at = (2 + 3 * index) * word;
    const [start, end, page] = [field.word(at), field.word(at + word), field.word(at + 2 * word)];
    return { start, end, offsetBytes: page * pageBytes, path: nextPath() };
  });
}

/** One string for each path, however many mappings it has. */
function pathsFrom(desc: Uint8Array, from: number): () => string {
  const bytes = Buffer.from(desc.buffer, desc.byteOffset, desc.length);
  const known = new Map<string, string>();
  let at = from;
  return () => {
    const found = bytes.indexOf(0, at);
    const end = found < 0 ? bytes.length : found;
    const path = bytes.toString("latin1", at, Math.min(end, at + MAX_PATH_BYTES));
    at = end + 1;
    if (!known.has(path)) known.set(path, path);
    return known.get(path) ?? path;
  };
}

/** What the kernel told the program at its start, by AT_…; see getauxval(3). */
export function auxvIn(desc: Uint8Array, abi: Abi): ReadonlyMap<number, bigint> {
  const [word, field, auxv] = [abi.bits / 8, fieldsOf(desc, abi), new Map<number, bigint>()];
  for (let at = 0; at + 2 * word <= desc.length; at += 2 * word)
    auxv.set(Number(field.word(at)), field.word(at + word));
  return auxv;
}
