/**
 * Whether a core's memory may be fetched from the process instead of the pipe: only where every byte of the file is
 * accounted for, because what is assembled here must be what the kernel would have written.
 */
import { type Checked, refuse } from "./bytes.ts";
import type { ElfHeader } from "./header.ts";
import { type ProgramHeader, PT_LOAD, PT_NOTE } from "./program-headers.ts";

export interface Segment {
  readonly offsetBytes: bigint;
  readonly vaddr: bigint;
  readonly fileBytes: bigint;
  /** Bytes of the mapping; the kernel may have left its end out. */
  readonly memBytes: bigint;
}

export interface DirectPlan {
  /** What must come through the pipe: headers, notes and padding, up to the first byte of memory. */
  readonly prefixBytes: bigint;
  /** In file order, one directly behind the other but for those in `high`; only such as have bytes in the file. */
  readonly segments: readonly Segment[];
  /** Those beyond what a signed offset into /proc/P/mem reaches: [vsyscall]. */
  readonly high: readonly Segment[];
}

const PAGE_BYTES = 4096n; // every page size is a multiple
const SIGNED_END = 2n ** 63n;

/**
 * A plan where the core is of the one shape that the kernel gives a 64-bit little-endian process: notes, then memory
 * from a page's beginning on, without gaps. The addresses need not ascend: kernel.core_sort_vma (6.15) orders by size.
 */
export function directlyCopyable(header: ElfHeader, headers: readonly ProgramHeader[]): Checked<DirectPlan> {
  if (header.bits !== 64 || !header.littleEndian) return refuse("it is not a 64-bit little-endian core");
  if (header.extendedCount) return refuse("it has 65535 or more program headers");
  const [notes, ...loads] = headers;
  if (notes?.type !== PT_NOTE) return refuse("its first program header is not that of the notes");
  const tableEnd = header.phoff + BigInt(headers.length * header.phentsize);
  if (notes.offsetBytes < tableEnd) return refuse("its notes overlap its program headers");
  // arm64 adds memory tags (PT_AARCH64_MEMTAG_MTE): bytes that are in no /proc/P/mem.
  if (loads.some(({ type, fileBytes }) => type !== PT_LOAD && fileBytes > 0n)) return refuse("not all of it is memory");
  return contiguous(
    notes.offsetBytes + notes.fileBytes,
    loads.filter(({ fileBytes }) => fileBytes > 0n),
  );
}

function contiguous(notesEnd: bigint, loads: readonly ProgramHeader[]): Checked<DirectPlan> {
  const prefixBytes = loads[0]?.offsetBytes;
  if (prefixBytes === undefined) return refuse("it holds no memory");
  if (prefixBytes % PAGE_BYTES !== 0n || prefixBytes < notesEnd) return refuse("its memory does not begin on a page");
  const segments: Segment[] = [];
  const high: Segment[] = [];
  let end = prefixBytes;
  for (const { offsetBytes, vaddr, fileBytes, memBytes } of loads) {
    if (offsetBytes !== end) return refuse("its segments overlap or leave gaps");
    if ((vaddr | fileBytes) % PAGE_BYTES !== 0n) return refuse("a segment is not made of whole pages");
    if (fileBytes > memBytes || vaddr + fileBytes > 2n ** 64n) return refuse("a segment reaches beyond the memory");
    end += fileBytes;
    if (end >= SIGNED_END) return refuse("its segments reach beyond any file's end");
    (vaddr + fileBytes > SIGNED_END ? high : segments).push({ offsetBytes, vaddr, fileBytes, memBytes });
  }
  return { ok: true, prefixBytes, segments, high };
}
