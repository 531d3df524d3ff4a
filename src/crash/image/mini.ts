/**
 * MiniDebugInfo: an ELF file with the symbols of the functions that are not exported, packed with xz into section .gnu_debugdata
 * (https://sourceware.org/gdb/current/onlinedocs/gdb.html/MiniDebugInfo.html). Distributions leave it in files that they strip.
 */
import { readerOf } from "../elf/bytes.ts";
import { unxz } from "../xz/xz.ts";
import { fileImage, type Image } from "./image.ts";

const MAX_PACKED_BYTES = 8 << 20;
const MAX_BYTES = 32 << 20;

const known = new WeakMap<Image, Image | undefined>();

/** The packed file of an image, unpacked once; undefined: there is none, or it is broken or too large. */
export function miniDebugInfo(image: Image): Image | undefined {
  if (!known.has(image)) known.set(image, unpacked(image));
  return known.get(image);
}

function unpacked({ file, sections, room }: Image): Image | undefined {
  const section = sections.get(".gnu_debugdata");
  if (!section || !file || section.bytes > MAX_PACKED_BYTES) return undefined;
  const packed = file.stream(section.offset, section.bytes);
  try {
    const bytes = room.unpacked(MAX_BYTES, (max) => unxz(packed, max));
    return bytes && fileImage(readerOf(bytes), room);
  } catch {
    return undefined;
  }
}
