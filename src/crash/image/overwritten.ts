/**
 * Whether a file is the one that was mapped, where build ids cannot tell. Updaters overwrite libraries in place: then what the process
 * maps of it and has not written is the new file's, its build id, too. What the dynamic linker wrote is still the old one's: .dynamic,
 * and the pointers of PT_GNU_RELRO, which are not written later.
 */
import { fieldsOf } from "../elf/bytes.ts";
import type { Memory } from "../process/memory.ts";
import { dynamicEntries, MAX_DYNAMIC_BYTES, PT_DYNAMIC } from "./dynamic.ts";
import type { Image } from "./image.ts";

const [DT_NULL, DT_RELA, DT_RELASZ, DT_DEBUG] = [0n, 7, 8, 21n];
const PT_GNU_RELRO = 0x6474e552;
/** R_X86_64_RELATIVE and R_AARCH64_RELATIVE: base + addend. */
const RELATIVE: Readonly<Record<number, bigint>> = { 62: 8n, 183: 1027n };
const RELA_BYTES = 24;
/** Linkers put relative ones first, by address. */
const MAX_POINTERS = 128;

/** @param memory the process's own: none of it may come from files */
export function isOverwritten(image: Image, bias: bigint, memory: Memory): boolean {
  return hasOtherDynamic(image, bias, memory) || hasOtherPointers(image, bias, memory);
}

const moved = ({ header }: Image, bias: bigint, vaddr: bigint): bigint => BigInt.asUintN(header.bits, bias + vaddr);

/** Each value is the file's, or moved as glibc does it with addresses; DT_DEBUG is the linker's own. */
function hasOtherDynamic(image: Image, bias: bigint, memory: Memory): boolean {
  const segment = image.segments.find(({ type }) => type === PT_DYNAMIC);
  if (!segment) return false;
  const file = image.at(Number(segment.vaddr), Math.min(Number(segment.memBytes), MAX_DYNAMIC_BYTES));
  const held = memory.bytes(moved(image, bias, segment.vaddr), file.length);
  if (!held) return false;
  const [wanted, given] = [fieldsOf(file, image.header), fieldsOf(held, image.header)];
  const word = image.header.bits / 8;
  for (let at = 0; at + 2 * word <= file.length; at += 2 * word) {
    const [tag, value, now] = [wanted.word(at), wanted.word(at + word), given.word(at + word)];
    if (tag !== given.word(at)) return true;
    if (tag === DT_NULL) return false;
    if (tag !== DT_DEBUG && now !== value && now !== moved(image, bias, value)) return true;
  }
  return false;
}

/** Most of the first pointers differ: the C library writes to some of its own before they are sealed. */
function hasOtherPointers(image: Image, bias: bigint, memory: Memory): boolean {
  const relro = image.segments.find(({ type }) => type === PT_GNU_RELRO);
  const entries = dynamicEntries(image);
  const [table, bytes] = [entries.get(DT_RELA), entries.get(DT_RELASZ)];
  if (!relro || table === undefined || bytes === undefined || image.header.bits !== 64) return false;
  const relocations = image.at(table, Math.min(bytes, MAX_POINTERS * RELA_BYTES));
  const field = fieldsOf(relocations, image.header);
  let [same, other] = [0, 0];
  for (let at = 0; at + RELA_BYTES <= relocations.length; at += RELA_BYTES) {
    const [place, kind, addend] = [field.word(at), field.word(at + 8), field.word(at + 16)];
    if (kind !== RELATIVE[image.header.machine] || place < relro.vaddr || place >= relro.vaddr + relro.memBytes)
      continue;
    const now = memory.word(moved(image, bias, place));
    const before = image.at(Number(place), 8);
    if (now === undefined) continue;
    if (now === moved(image, bias, addend) || (before.length === 8 && now === fieldsOf(before, image.header).word(0)))
      same++; // before: it crashed before it was written
    else other++;
  }
  return other > same;
}
