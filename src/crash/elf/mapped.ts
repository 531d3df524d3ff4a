/**
 * The files that a core's process had mapped: NT_FILE (fs/binfmt_elf.c, fill_files_note; since Linux 3.7), whose paths are as the
 * process saw them, links resolved; and NT_AUXV's AT_ENTRY, which lies in the executable.
 */
import { buildIdOf } from "./build-id.ts";
import type { Checked, ReadAt } from "./bytes.ts";
import { auxvIn, type FileMapping, fileMappingsIn, MAX_FILE_NOTE_BYTES, NT_AUXV, NT_FILE } from "./file-note.ts";
import { layoutOf } from "./layout.ts";
import { walkNotes } from "./notes.ts";
import { type ProgramHeader, PT_LOAD, PT_NOTE } from "./program-headers.ts";

export interface MappedFile {
  /** Any bytes but NUL, as Latin-1; ` (deleted)` behind it when it was. */
  readonly path: string;
  /** Of the ELF image at its beginning, in hex; undefined: it is none, has none, or the core does not hold it. */
  readonly buildId: string | undefined;
  /** Whether it begins with an ELF header; undefined: the core does not hold it. */
  readonly isElf: boolean | undefined;
  readonly isExecutable: boolean;
}

const AT_ENTRY = 9;
/** What is held of program headers. */
const MAX_SEGMENTS = 1 << 17;

/** @param read reaches the headers, the notes, and whatever memory it has */
export function mappedFiles(read: ReadAt): Checked<{ readonly files: readonly MappedFile[] }> {
  const layout = layoutOf(read);
  if (!layout.ok) return layout;
  const { header, headers } = layout;
  const segments: ProgramHeader[] = [];
  let [mappings, entry]: [FileMapping[], bigint | undefined] = [[], undefined];
  for (const segment of headers) {
    if (segment.type === PT_LOAD && segments.length < MAX_SEGMENTS) segments.push(segment);
    if (segment.type !== PT_NOTE) continue;
    walkNotes(read, segment, header, (note) => {
      if (note.name !== "CORE") return;
      const desc = (): Uint8Array => note.desc(Math.min(note.descBytes, MAX_FILE_NOTE_BYTES));
      if (note.type === NT_FILE) mappings = fileMappingsIn(desc(), header);
      if (note.type === NT_AUXV) entry = auxvIn(desc(), header).get(AT_ENTRY);
    });
  }
  return { ok: true, files: filesOf(mappings, entry, memoryOf(read, segments)) };
}

/** One for each path, in order. */
function filesOf(mappings: readonly FileMapping[], entry: bigint | undefined, memory: ReadAt): MappedFile[] {
  return [...Map.groupBy(mappings, ({ path }) => path)].map(([path, parts]) => {
    const first = parts.find(({ offsetBytes }) => offsetBytes === 0n);
    const image: ReadAt = (offset, length) => (first ? memory(first.start + offset, length) : new Uint8Array());
    const magic = Buffer.from(image(0n, 4));
    return {
      path,
      isElf: magic.length < 4 ? undefined : magic.toString("latin1") === "\x7fELF",
      buildId: buildIdOf(image),
      isExecutable: entry !== undefined && parts.some(({ start, end }) => start <= entry && entry < end),
    };
  });
}

/** Reads by address what the core holds of memory; less, or nothing, where it holds none. */
function memoryOf(read: ReadAt, segments: readonly ProgramHeader[]): ReadAt {
  return (address, lengthBytes) => {
    const segment = segments.find(({ vaddr, fileBytes }) => vaddr <= address && address < vaddr + fileBytes);
    if (!segment) return new Uint8Array();
    const within = address - segment.vaddr;
    const left = segment.fileBytes - within;
    const offset = segment.offsetBytes + within;
    if (offset > BigInt(Number.MAX_SAFE_INTEGER)) return new Uint8Array();
    return read(offset, left < BigInt(lengthBytes) ? Number(left) : lengthBytes);
  };
}
