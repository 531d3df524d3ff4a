/** Cores built byte by byte after the kernel's fs/binfmt_elf.c: the ones no machine at hand can make. */

export interface Abi {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
}

export const LSB64: Abi = { bits: 64, littleEndian: true };
export const ABIS: readonly Abi[] = [
  LSB64,
  { bits: 64, littleEndian: false },
  { bits: 32, littleEndian: true },
  { bits: 32, littleEndian: false },
];

type Field = (abi: Abi) => Uint8Array;

const number =
  (widthOf: (abi: Abi) => number) =>
  (value: number | bigint): Field =>
  (abi) => {
    const bytes = Buffer.alloc(widthOf(abi));
    let rest = BigInt.asUintN(64, BigInt(value));
    for (let i = 0; i < bytes.length; i++, rest >>= 8n) {
      bytes[abi.littleEndian ? i : bytes.length - 1 - i] = Number(rest & 0xffn);
    }
    return bytes;
  };

export const u16 = number(() => 2);
const u32 = number(() => 4);
/** A C `unsigned long`. */
const word = number(({ bits }) => bits / 8);
const raw =
  (bytes: Uint8Array): Field =>
  () =>
    bytes;

const pack = (abi: Abi, ...fields: readonly Field[]): Buffer => Buffer.concat(fields.map((field) => field(abi)));

const pad = (bytes: Uint8Array, to: number) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & (to - 1))]);

export function note(abi: Abi, name: string, type: number, desc: Uint8Array): Buffer {
  const owner = Buffer.from(`${name}\0`);
  return pack(abi, u32(owner.length), u32(desc.length), u32(type), raw(pad(owner, 4)), raw(pad(desc, 4)));
}

export interface Part {
  readonly type?: number;
  readonly flags?: number;
  readonly vaddr: bigint;
  readonly bytes: Uint8Array;
  readonly memBytes?: bigint;
}

export interface CoreSpec {
  readonly abi?: Abi;
  readonly machine?: number;
  readonly notes?: Uint8Array;
  readonly parts?: readonly Part[];
}

const SIZES = {
  64: { header: 64, programHeader: 56, sectionHeader: 64 },
  32: { header: 52, programHeader: 32, sectionHeader: 40 },
};

/** A whole core: ELF header, table with the notes first, notes, memory from a page on, with PN_XNUM a section header. */
export function buildCore({ abi = LSB64, machine = 62, notes = Buffer.alloc(0), parts = [] }: CoreSpec): Buffer {
  const size = SIZES[abi.bits];
  const count = parts.length + 1;
  const many = count >= 0xffff;
  const notesAt = size.header + count * size.programHeader;
  const memoryAt = Math.ceil((notesAt + notes.length) / 4096) * 4096;
  let at = memoryAt;
  const table = [programHeader(abi, { type: 4, vaddr: 0n, bytes: notes, memBytes: 0n }, notesAt)];
  for (const part of parts) {
    table.push(programHeader(abi, part, at));
    at += part.bytes.length;
  }
  return Buffer.concat([
    elfHeader(abi, machine, Math.min(count, 0xffff), many ? [at, size.sectionHeader, 1] : [0, 0, 0]),
    ...table,
    notes,
    Buffer.alloc(memoryAt - notesAt - notes.length),
    ...parts.map(({ bytes }) => bytes),
    Buffer.alloc(many ? size.sectionHeader : 0), // nobody here reads it: in a core it comes too late
  ]);
}

type Sections = readonly [shoff: number, shentsize: number, shnum: number];

function elfHeader(abi: Abi, machine: number, phnum: number, [shoff, shentsize, shnum]: Sections): Buffer {
  const { header, programHeader } = SIZES[abi.bits];
  const ident = [0x7f, 0x45, 0x4c, 0x46, abi.bits / 32, abi.littleEndian ? 1 : 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  const kind = [u16(4), u16(machine), u32(1), word(0)];
  const counts = [u16(header), u16(programHeader), u16(phnum), u16(shentsize), u16(shnum), u16(0)];
  return pack(abi, raw(Buffer.from(ident)), ...kind, word(header), word(shoff), u32(0), ...counts);
}

function programHeader(abi: Abi, { type = 1, flags = 6, vaddr, bytes, memBytes }: Part, offset: number): Buffer {
  const places = [offset, vaddr, 0, bytes.length, memBytes ?? bytes.length].map(word);
  return abi.bits === 64
    ? pack(abi, u32(type), u32(flags), ...places, word(4096))
    : pack(abi, u32(type), ...places, u32(flags), word(4096));
}

/** struct elf_prstatus; what is behind pr_pid (other ids, times, registers) is filled with rubbish. */
export function prstatus(abi: Abi, tid: number, signal: number): Buffer {
  const info = [u32(signal), u32(0), u32(0)];
  return pack(abi, ...info, u16(signal), u16(0xa5a5), word(0), word(0), u32(tid), raw(Buffer.alloc(300, 0xa5)));
}

/** siginfo_t of a fault. */
export function siginfo(abi: Abi, signal: number, code: number, address: bigint): Buffer {
  const gap = abi.bits === 64 ? [u32(0xa5a5a5a5)] : [];
  return pack(abi, u32(signal), u32(0), u32(code), ...gap, word(address), raw(Buffer.alloc(96, 0xa5)));
}

/** struct elf_prpsinfo, its ids as wide as `id` makes them (i386 and arm: 16 bits). */
export function prpsinfo(
  abi: Abi,
  pid: number,
  comm: string,
  args: string,
  id: (value: number) => Field = u32,
): Buffer {
  const gap = abi.bits === 64 ? [u32(0xa5a5a5a5)] : [];
  const text = (from: string, bytes: number) => raw(Buffer.alloc(bytes).fill(`${from}\0`, 0, from.length + 1));
  const ids = [id(1000), id(1001), u32(pid), u32(0), u32(0), u32(0)];
  return pack(abi, u32(0x00005200), ...gap, word(0), ...ids, text(comm, 16), text(args, 80));
}
