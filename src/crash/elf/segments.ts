/**
 * Whether a core's memory may be fetched from the process instead of the pipe: only where every byte of the file is
 * accounted for, because what is assembled here must be what the kernel would have written.
 */
import { type Checked, refuse } from "./bytes.ts";
import type { ElfHeader } from "./header.ts";
import { type ProgramHeader, PT_LOAD, PT_NOTE } from "./program-headers.ts";

export interface DirectPlan {
  /** What must come through the pipe: headers, notes and padding, up to the first byte of memory. */
  readonly prefixBytes: bigint;
  /** In file order, one directly after the other but for those in `high`; only such as have bytes in the file. */
  readonly segments: Iterable<ProgramHeader>;
  /** Those beyond what a signed offset into /proc/P/mem reaches: [vsyscall]. */
  readonly high: readonly ProgramHeader[];
}

const PAGE_BYTES = 4096n; // every page size is a multiple
const SIGNED_END = 2n ** 63n;

/**
 * A plan where the core is of the one shape that the kernel gives a 64-bit little-endian process: notes, then memory
 * from a page's beginning on, without gaps. The addresses need not ascend: kernel.core_sort_vma (6.15) orders by size.
 */
export function directlyCopyable(header: ElfHeader, headers: Iterable<ProgramHeader>): Checked<DirectPlan> {
  if (header.bits !== 64 || !header.littleEndian) return refuse("it is not a 64-bit little-endian core");
  if (header.extendedCount) return refuse("it has 65535 or more program headers");
  const [notes] = headers;
  if (notes?.type !== PT_NOTE) return refuse("its first program header is not that of the notes");
  const count = Iterator.from(headers).reduce((sum) => sum + 1, 0);
  if (notes.offsetBytes < header.phoff + BigInt(count * header.phentsize))
    return refuse("its notes overlap its program headers");
  const held = () =>
    Iterator.from(headers)
      .drop(1)
      .filter(({ fileBytes }) => fileBytes > 0n);
  return contiguous(notes.offsetBytes + notes.fileBytes, { [Symbol.iterator]: held });
}

function contiguous(notesEnd: bigint, loads: Iterable<ProgramHeader>): Checked<DirectPlan> {
  const [first] = loads;
  if (first === undefined) return refuse("it holds no memory");
  const prefixBytes = first.offsetBytes;
  if (prefixBytes % PAGE_BYTES !== 0n || prefixBytes < notesEnd) return refuse("its memory does not begin on a page");
  const high: ProgramHeader[] = [];
  let end = prefixBytes;
  for (const load of loads) {
    const { type, offsetBytes, vaddr, fileBytes, memBytes } = load;
    // arm64 adds memory tags (PT_AARCH64_MEMTAG_MTE): bytes that are in no /proc/P/mem.
    if (type !== PT_LOAD) return refuse("not all of it is memory");
    if (offsetBytes !== end) return refuse("its segments overlap or leave gaps");
    if ((vaddr | fileBytes) % PAGE_BYTES !== 0n) return refuse("a segment is not made of whole pages");
    if (fileBytes > memBytes || vaddr + fileBytes > 2n ** 64n) return refuse("a segment reaches beyond the memory");
    end += fileBytes;
    if (end >= SIGNED_END) return refuse("its segments reach beyond any file's end");
    if (isHigh(load)) high.push(load);
  }
  const low = () => Iterator.from(loads).filter((load) => !isHigh(load));
  return { ok: true, prefixBytes, segments: { [Symbol.iterator]: low }, high };
}

const isHigh = ({ vaddr, fileBytes }: ProgramHeader): boolean => vaddr + fileBytes > SIGNED_END;
