/** CIEs and FDEs: how to unwind each function, from .eh_frame (LSB 5.0, 10.6) or .debug_frame (DWARF 5, 6.4.1). */
import { type Bases, Cursor, OMIT } from "../elf/cursor.ts";

export interface FrameEntry {
  /** vaddrs of the code. */
  readonly start: number;
  readonly end: number;
  readonly isSignalFrame: boolean;
  readonly returnAddress: number;
  readonly codeAlign: number;
  readonly dataAlign: number;
  readonly pointerEncoding: number;
  /** Instructions of the CIE, then of the FDE. */
  readonly initial: Uint8Array;
  readonly instructions: Uint8Array;
}

/** Bytes of one of the two kinds of table, by vaddr (.eh_frame) or offset in the section (.debug_frame). */
interface FrameTable {
  readonly abi: { readonly littleEndian: boolean; readonly bits: 32 | 64 };
  readonly isDebugFrame: boolean;
  at(address: number, length: number): Uint8Array;
}

/** Where an entry begins, how long it is with its length field, and what it refers to. */
interface EntryHead {
  readonly totalBytes: number;
  readonly idAt: number;
  readonly bodyAt: number;
  readonly isCie: boolean;
  /** Address of the CIE; of no meaning for one. */
  readonly cie: number;
}

/** No compiler writes anything near it. */
const MAX_ENTRY_BYTES = 1 << 20;
const SIGNAL_FRAME = 0x53; // S

/** @returns undefined at the end of the table, or where it makes no sense */
export function headAt(table: FrameTable, address: number): EntryHead | undefined {
  const bytes = table.at(address, 24);
  if (bytes.length < 8) return undefined;
  const cursor = new Cursor(bytes, table.abi, address);
  const short = cursor.u32();
  const is64 = short === 0xffffffff;
  if (short === 0 || (short > 0xfffffff0 && !is64) || (is64 && bytes.length < 20)) return undefined;
  const length = is64 ? cursor.u64() : short;
  const idAt = cursor.at;
  if (length > MAX_ENTRY_BYTES || length < 4) return undefined;
  const wide = is64 && table.isDebugFrame;
  const id = wide ? cursor.big() : BigInt(cursor.u32());
  const isCie = table.isDebugFrame ? id === (wide ? 0xffffffffffffffffn : 0xffffffffn) : id === 0n;
  const cie = table.isDebugFrame ? Number(id) : address + idAt - Number(id);
  return { totalBytes: idAt + length, idAt, bodyAt: cursor.at, isCie, cie };
}

/** Parses what begins at these addresses; CIEs are kept, because many FDEs share one. */
export class FrameEntries {
  readonly table: FrameTable;
  readonly #cies = new Map<number, Cie | undefined>();

  constructor(table: FrameTable) {
    this.table = table;
  }

  /** @throws RangeError where it contradicts itself */
  fdeAt(address: number, bases: Bases = {}): FrameEntry | undefined {
    const head = headAt(this.table, address);
    if (!head || head.isCie) return undefined;
    const cie = this.#cie(head.cie);
    const bytes = this.table.at(address, head.totalBytes);
    if (!cie || bytes.length < head.totalBytes) return undefined;
    const cursor = new Cursor(bytes, this.table.abi, address, head.bodyAt);
    const start = cursor.pointer(cie.pointerEncoding, bases);
    const end = start + cursor.pointer(cie.pointerEncoding & 0x0f);
    if (cie.augmented) cursor.take(cursor.uleb());
    return { ...cie, start, end, instructions: bytes.subarray(cursor.at) };
  }

  #cie(address: number): Cie | undefined {
    if (this.#cies.has(address)) return this.#cies.get(address);
    const cie = cieAt(this.table, address);
    if (this.#cies.size < 4096) this.#cies.set(address, cie);
    return cie;
  }
}

type Cie = Omit<FrameEntry, "start" | "end" | "instructions"> & { readonly augmented: boolean };

function cieAt(table: FrameTable, address: number): Cie | undefined {
  const head = headAt(table, address);
  if (!head?.isCie) return undefined;
  const bytes = table.at(address, head.totalBytes);
  if (bytes.length < head.totalBytes) return undefined;
  const cursor = new Cursor(bytes, table.abi, address, head.bodyAt);
  const version = cursor.u8();
  const augmentation = cursor.text();
  if (version >= 4) cursor.take(2); // address_size, segment_selector_size
  if (augmentation[0] === 0x65 && augmentation[1] === 0x68) cursor.word(); // "eh": an old gcc's
  const codeAlign = cursor.uleb();
  const dataAlign = cursor.sleb();
  const returnAddress = version === 1 ? cursor.u8() : cursor.uleb();
  const augmented = augmentation[0] === 0x7a; // z
  const pointerEncoding = augmented ? encodingIn(augmentation, cursor) : 0;
  const isSignalFrame = augmentation.includes(SIGNAL_FRAME);
  return {
    isSignalFrame,
    returnAddress,
    codeAlign,
    dataAlign,
    pointerEncoding,
    augmented,
    initial: bytes.subarray(cursor.at),
  };
}

/** The pointer encoding out of the augmentation's data; leaves the cursor after them. */
function encodingIn(augmentation: Uint8Array, cursor: Cursor): number {
  const end = cursor.uleb() + cursor.at;
  let encoding = 0;
  for (const letter of augmentation.subarray(1)) {
    if (letter === 0x52)
      encoding = cursor.u8(); // R
    else if (letter === 0x4c)
      cursor.u8(); // L: encoding of the language-specific data
    else if (letter === 0x50)
      skipPersonality(cursor); // P
    else if (letter !== SIGNAL_FRAME && letter !== 0x42 && letter !== 0x47) break; // S, and arm64's B and G, have no data
  }
  cursor.at = end;
  return encoding;
}

function skipPersonality(cursor: Cursor): void {
  const encoding = cursor.u8();
  if (encoding !== OMIT) cursor.pointer(encoding & 0x0f);
}
