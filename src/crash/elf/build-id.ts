/** The build id of an ELF file. */
import type { ReadAt } from "./bytes.ts";
import { ELF_HEADER_BYTES, parseElf } from "./header.ts";
import { walkNotes } from "./notes.ts";
import { PT_NOTE, programHeaders } from "./program-headers.ts";

const NT_GNU_BUILD_ID = 3;
/** Linkers write 8, 16 or 20 bytes; `--build-id=0x…` any number. */
const MAX_BYTES = 64;
/** Executables have some dozen. */
const MAX_HEADERS = 256;

/**
 * The linker's name of what it made, in hex: two files with the same one are the same program.
 * @param read reads an ELF file, or its beginning as it is in memory
 */
export function buildIdOf(read: ReadAt): string | undefined {
  const header = parseElf(read(0n, ELF_HEADER_BYTES));
  if (header === undefined) return undefined;
  let found: string | undefined;
  for (const segment of programHeaders(read, header, Math.min(header.phnum, MAX_HEADERS))) {
    if (segment.type !== PT_NOTE || segment.fileBytes > 1 << 20) continue;
    walkNotes(read, segment, header, (note) => {
      if (note.name === "GNU" && note.type === NT_GNU_BUILD_ID && note.descBytes <= MAX_BYTES)
        found ??= Buffer.from(note.desc(MAX_BYTES)).toString("hex");
    });
  }
  return found || undefined;
}
