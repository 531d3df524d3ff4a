/**
 * The files that a core's process had mapped: NT_FILE (fs/binfmt_elf.c, fill_files_note; since Linux 3.7), whose paths are as the
 * process saw them, links resolved; and NT_AUXV's AT_ENTRY, which lies in the executable.
 */
import { buildIdOf } from "../elf/build-id.ts";
import type { Checked, ReadAt } from "../elf/bytes.ts";
import { auxvIn, type FileMapping, fileMappingsIn, MAX_FILE_NOTE_BYTES, NT_AUXV, NT_FILE } from "../elf/file-note.ts";
import { layoutOf } from "../elf/layout.ts";
import { walkNotes } from "../elf/notes.ts";
import { PT_NOTE } from "../elf/program-headers.ts";
import { type AtAddress, Segments } from "./memory.ts";

export interface MappedFile {
  /** Any bytes but NUL, as Latin-1; ` (deleted)` after it when it was. */
  readonly path: string;
  /** Of the ELF image at its beginning, in hex; undefined: it is none, has none, or the core does not hold it. */
  readonly buildId: string | undefined;
  /** Whether it begins with an ELF header; undefined: the core does not hold it. */
  readonly isElf: boolean | undefined;
  readonly isExecutable: boolean;
}

const AT_ENTRY = 9;

/** @param read reaches the headers, the notes, and whatever memory it has */
export function mappedFiles(read: ReadAt): Checked<{ readonly files: readonly MappedFile[] }> {
  const layout = layoutOf(read);
  if (!layout.ok) return layout;
  const { header, headers } = layout;
  let [mappings, entry]: [FileMapping[], bigint | undefined] = [[], undefined];
  for (const segment of headers) {
    if (segment.type !== PT_NOTE) continue;
    walkNotes(read, segment, header, (note) => {
      if (note.name !== "CORE") return;
      const desc = (): Uint8Array => note.desc(Math.min(note.descBytes, MAX_FILE_NOTE_BYTES));
      if (note.type === NT_FILE) mappings = fileMappingsIn(desc(), header);
      if (note.type === NT_AUXV) entry = auxvIn(desc(), header).get(AT_ENTRY);
    });
  }
  return { ok: true, files: filesOf(mappings, entry, new Segments(layout).reader(read)) };
}

/** One for each path, in order. */
function filesOf(mappings: readonly FileMapping[], entry: bigint | undefined, memory: AtAddress): MappedFile[] {
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
