/** The first bytes of a core, after elf(5) and the kernel's include/uapi/linux/elf.h. */
import { fieldsOf } from "./bytes.ts";

export interface ElfHeader {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
  /** EM_386 3, EM_X86_64 62, EM_AARCH64 183, … */
  readonly machine: number;
  /** Where the table of program headers begins; the kernel puts it right after this header. */
  readonly phoff: bigint;
  readonly phentsize: number;
  /** As written; not the count when `extendedCount`. */
  readonly phnum: number;
  /** PN_XNUM: 65535 or more program headers. Only section header 0, the core's last bytes, holds their count. */
  readonly extendedCount: boolean;
  readonly shoff: bigint;
  readonly shentsize: number;
  readonly shnum: number;
}

/** So many bytes suffice for `parseElfHeader()`, whatever the class. */
export const ELF_HEADER_BYTES = 64;

const MAGIC = 0x7f454c46; // "\x7fELF"
const ET_CORE = 4;
export const PN_XNUM = 0xffff;

/** Sizes that the class fixes: of the header itself and of one program header. */
export const SIZES = { 32: { header: 52, programHeader: 32 }, 64: { header: 64, programHeader: 56 } } as const;

/** What the bytes say when they begin an ELF core of either class and byte order; undefined for anything else. */
export function parseElfHeader(bytes: Uint8Array): ElfHeader | undefined {
  const header = parseElf(bytes);
  return header?.type === ET_CORE ? header : undefined;
}

/** The same of any ELF file: 2 is an executable, 3 one that can lie anywhere, or a library. */
export function parseElf(bytes: Uint8Array): (ElfHeader & { readonly type: number }) | undefined {
  const bits = bytes[4] === 1 ? 32 : bytes[4] === 2 ? 64 : undefined;
  const littleEndian = bytes[5] === 1;
  if (bits === undefined || (!littleEndian && bytes[5] !== 2) || bytes.length < SIZES[bits].header) return undefined;
  const field = fieldsOf(bytes, { littleEndian, bits });
  const magic = fieldsOf(bytes, { littleEndian: false, bits }).u32(0);
  if (magic !== MAGIC) return undefined;
  const [offsets, counts] = bits === 64 ? [32, 54] : [28, 42];
  const phnum = field.u16(counts + 2);
  return {
    bits,
    littleEndian,
    type: field.u16(16),
    machine: field.u16(18),
    phoff: field.word(offsets),
    phentsize: field.u16(counts),
    phnum,
    extendedCount: phnum === PN_XNUM,
    shoff: field.word(offsets + bits / 8),
    shentsize: field.u16(counts + 4),
    shnum: field.u16(counts + 6),
  };
}
