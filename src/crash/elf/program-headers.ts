/**
 * The table that says where in the core each part lies, and with it how long a whole core is.
 *
 * How many headers there are is bounded by vm.max_map_count: 65530 by default, 1048576 on some distributions (their
 * table alone takes 56 MiB). A table of at most MAX_HELD_BYTES (149 thousand headers) is held; a longer one is only
 * ever streamed, and such a core is drained rather than copied directly.
 */
import { type Checked, fieldsOf, type NumberReader, type ReadAt, readerOf, refuse } from "./bytes.ts";
import { type ElfHeader, PN_XNUM, SIZES } from "./header.ts";

export interface ProgramHeader {
  readonly type: number;
  /** PF_X 1, PF_W 2, PF_R 4. */
  readonly flags: number;
  readonly offsetBytes: bigint;
  readonly vaddr: bigint;
  /** Bytes in the core; less than `memBytes` where the kernel left memory out. */
  readonly fileBytes: bigint;
  readonly memBytes: bigint;
}

export const PT_LOAD = 1;
export const PT_NOTE = 4;

export const MAX_HELD_BYTES = 8 * 1024 * 1024;
/** Twice the largest vm.max_map_count that any distribution sets. */
const MAX_HEADERS = 2 * 1024 * 1024;
const WINDOW_BYTES = 64 * 1024;
/** loff_t is signed: no file ends beyond. */
const MAX_FILE_BYTES = 2n ** 63n - 1n;

/**
 * How many program headers there are.
 *
 * With PN_XNUM the kernel writes the count only into section header 0, at the very end (fs/binfmt_elf.c,
 * elf_core_dump). But its first program header is the one of the notes, and the notes follow the table at once: so the
 * table ends where they begin.
 *
 * @param read needs to reach the first program header only
 */
export function headerCount(read: ReadAt, header: ElfHeader): Checked<{ readonly count: number }> {
  const size = SIZES[header.bits];
  if (header.phnum === 0) return refuse("it has no program headers");
  if (header.phentsize !== size.programHeader) return refuse(`its program headers take ${header.phentsize} bytes each`);
  if (header.phoff < size.header || header.phoff > BigInt(MAX_HELD_BYTES)) {
    return refuse(`its program headers are said to begin at ${header.phoff}`);
  }
  if (!header.extendedCount) return { ok: true, count: header.phnum };
  const [first] = programHeaders(read, header, 1);
  if (first === undefined) return refuse("it ends before its first program header");
  const tableBytes = first.offsetBytes - header.phoff;
  const count = tableBytes / BigInt(header.phentsize);
  if (first.type !== PT_NOTE || tableBytes % BigInt(header.phentsize) !== 0n || count < PN_XNUM) {
    return refuse("the number of its program headers is unknown");
  }
  if (count > MAX_HEADERS) return refuse(`it claims ${count} program headers`);
  return { ok: true, count: Number(count) };
}

/**
 * How many of the core's first bytes must be held for `layoutOf()`: ELF header and table.
 * @param head the core's first bytes: at least ELF header and one program header (120 bytes always suffice for the
 *   kernel's own cores)
 */
export function tableBytes(head: Uint8Array, header: ElfHeader): Checked<{ readonly bytes: number }> {
  const counted = headerCount(readerOf(head), header);
  if (!counted.ok) return counted;
  const bytes = Number(header.phoff) + counted.count * header.phentsize;
  return bytes <= MAX_HELD_BYTES ? { ok: true, bytes } : refuse(`its ${counted.count} program headers are too many`);
}

/** The first `count` program headers, one window at a time; fewer where the data end. */
export function* programHeaders(read: ReadAt, header: ElfHeader, count: number): Generator<ProgramHeader> {
  const size = SIZES[header.bits].programHeader;
  for (let done = 0; done < count; ) {
    const wanted = Math.min(count - done, Math.floor(WINDOW_BYTES / size));
    const window = read(header.phoff + BigInt(done * size), wanted * size);
    const fields = fieldsOf(window, header);
    const whole = Math.floor(Math.min(window.length, wanted * size) / size);
    // Decoded before any is handed out: the reader may reuse its buffer while the consumer reads elsewhere.
    yield* Array.from({ length: whole }, (_, i) => decode(fields, i * size, header.bits));
    if (whole < wanted) return;
    done += whole;
  }
}

function decode(field: NumberReader, at: number, bits: 32 | 64): ProgramHeader {
  const [flags, words, word] = bits === 64 ? [4, 8, 8] : [24, 4, 4];
  return {
    type: field.u32(at),
    flags: field.u32(at + flags),
    offsetBytes: field.word(at + words),
    vaddr: field.word(at + words + word),
    fileBytes: field.word(at + words + 3 * word), // after p_paddr, which cores leave 0
    memBytes: field.word(at + words + 4 * word),
  };
}

/**
 * Length of the whole core: where the last of its parts ends. The only proof of completeness there is, because the
 * kernel does not say that it stopped early.
 */
export function expectedBytes(
  header: ElfHeader,
  headers: Iterable<ProgramHeader>,
): Checked<{ readonly bytes: bigint }> {
  // Section headers come after all else: the kernel writes one where PN_XNUM needs it, gdb's gcore always some.
  let bytes = header.shnum > 0 ? header.shoff + BigInt(header.shentsize * header.shnum) : 0n;
  let count = 0n;
  for (const { offsetBytes, fileBytes } of headers) {
    const end = offsetBytes + fileBytes;
    if (end > bytes) bytes = end;
    count++;
  }
  if (count === 0n) return refuse("it has no program headers");
  const tableEnd = header.phoff + count * BigInt(header.phentsize);
  if (tableEnd > bytes) bytes = tableEnd;
  return bytes <= MAX_FILE_BYTES ? { ok: true, bytes } : refuse("its headers reach beyond any file's end");
}
