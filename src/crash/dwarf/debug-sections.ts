/** The sections of debug information, by name: read where they lie, or inflated once where the linker compressed them. */
import type { Image } from "../image/image.ts";
import { contentOf, debugSection } from "../image/sections.ts";
import { textAt } from "../image/symbols.ts";

/** Inflated sections are held: a program of 100 MB of debug information is left without lines rather than without memory. */
const MAX_INFLATED_BYTES = 16 << 20;
const SHF_COMPRESSED = 0x800;

interface SectionBytes {
  readonly bytes: number;
  at(offset: number, length: number): Uint8Array;
}

export class DebugSections {
  readonly image: Image;
  readonly #known = new Map<string, SectionBytes | undefined>();

  constructor(image: Image) {
    this.image = image;
  }

  /** @param name without the dot */
  get(name: string): SectionBytes | undefined {
    if (!this.#known.has(name)) this.#known.set(name, this.#opened(name));
    return this.#known.get(name);
  }

  text(name: string, offset: number): string | null {
    const section = this.get(name);
    return (section && textAt(section.at, offset)) || null;
  }

  #opened(name: string): SectionBytes | undefined {
    const { image } = this;
    const section = debugSection(image.sections, name);
    const { file } = image;
    if (!section || !file) return undefined;
    if (!(section.flags & SHF_COMPRESSED) && !section.name.startsWith(".z")) {
      const { offset: from, bytes } = section;
      return {
        bytes,
        at: (offset, length) => file.bytes(from + offset, Math.max(0, Math.min(length, bytes - offset))),
      };
    }
    const content = image.room.unpacked(MAX_INFLATED_BYTES, (max) => contentOf(file, image.header, section, max));
    return content && { bytes: content.length, at: (offset, length) => content.subarray(offset, offset + length) };
  }
}
