/** CPython's strings and bytes, where they lie in memory. Only names of functions and files and their line tables are read, no values. */
import type { Memory } from "../process/memory.ts";
import type { CPythonLayout } from "./layout.ts";

const MAX_CHARACTERS = 1024;
const MAX_TABLE_BYTES = 1 << 20;
/** PyASCIIObject.state, from its lowest bit: interned (2 bits), kind (3), compact, ascii. */
const [KIND, COMPACT, ASCII] = [2, 1 << 5, 1 << 6];

/** Characters of a str; undefined: it is none, or not where all are since Python 3.12. */
export function textAt(memory: Memory, { text }: CPythonLayout, address: bigint): string | undefined {
  const [length, state] = [memory.word(address + BigInt(text.length)), memory.number(address + BigInt(text.state), 4)];
  if (length === undefined || state === undefined || (Number(state) & COMPACT) === 0) return undefined;
  const width = (Number(state) >> KIND) & 7;
  const count = length > MAX_CHARACTERS ? MAX_CHARACTERS : Number(length);
  const from = Number(state) & ASCII ? text.ascii : text.other;
  if (width !== 1 && width !== 2 && width !== 4) return undefined;
  const bytes = memory.bytes(address + BigInt(from), count * width);
  return bytes && charactersOf(bytes, width);
}

function charactersOf(bytes: Uint8Array, width: 1 | 2 | 4): string {
  const buffer = Buffer.from(bytes);
  if (width === 1) return buffer.toString("latin1");
  if (width === 2) return buffer.toString("utf16le");
  let text = "";
  for (let at = 0; at + 4 <= buffer.length; at += 4) {
    const point = buffer.readUInt32LE(at);
    text += point <= 0x10ffff ? String.fromCodePoint(point) : "\ufffd";
  }
  return text;
}

/** What a bytes object holds; undefined: it is none, or too large. */
export function bytesAt(memory: Memory, { bytes }: CPythonLayout, address: bigint): Uint8Array | undefined {
  const size = memory.word(address + BigInt(bytes.size));
  if (size === undefined || size > MAX_TABLE_BYTES) return undefined;
  return memory.bytes(address + BigInt(bytes.data), Number(size));
}
