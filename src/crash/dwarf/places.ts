/** From debug information: the source line of an address, and what the compiler inlined there. */
import type { Image } from "../image/image.ts";
import { DebugSections } from "./debug-sections.ts";
import { LineProgram } from "./lines.ts";
import { covers, rangesOf } from "./ranges.ts";
import { AT, type DebugEntry, Unit, type UnitHead, unitsOf } from "./units.ts";

interface SourcePlace {
  /** As the linker knows it, mangled, or the plain name; null: the debug information has none. */
  readonly name: string | null;
  readonly file: string | null;
  readonly line: number | null;
  readonly inlined: boolean;
}

const [SUBPROGRAM, INLINED] = [0x2e, 0x1d];
const MAX_ENTRIES = 2_000_000;
const MAX_ORIGINS = 8;
const MAX_HELD_UNITS = 8;
const MAX_PARTS = 200_000;
/** Units do not overlap; a broken one may seem to. */
const MAX_OVERLAPPING = 16;

interface Held {
  readonly unit: Unit;
  readonly lines: LineProgram | undefined;
  /** Where each function's entry lies, by the addresses that it covers. */
  readonly functions: readonly { readonly from: number; readonly to: number; readonly offset: number }[];
}

interface UnitRange {
  readonly from: number;
  readonly to: number;
  readonly head: UnitHead;
}

export class DebugInfo {
  readonly #sections: DebugSections;
  readonly #heads: UnitHead[];
  #index: UnitRange[] | undefined;
  readonly #units = new Map<number, Held>();

  static of(image: Image): DebugInfo | undefined {
    const sections = new DebugSections(image);
    return sections.get("debug_info") && sections.get("debug_abbrev") ? new DebugInfo(sections) : undefined;
  }

  private constructor(sections: DebugSections) {
    this.#sections = sections;
    this.#heads = [...unitsOf(sections)];
  }

  /** The innermost first; none where nothing is known of the address. */
  placesAt(vaddr: number): SourcePlace[] {
    const head = this.#headOf(vaddr);
    if (!head) return [];
    const { unit, lines, functions } = this.#held(head);
    const own = functions.findLast(({ from, to }) => from <= vaddr && vaddr < to);
    const chain = own ? chainAt(unit, own.offset, vaddr) : [];
    let at = lines?.lineOf(vaddr);
    const places: SourcePlace[] = [];
    for (const entry of chain.reverse()) {
      const inlined = entry.tag === INLINED;
      const file = at ? (lines?.file(at.file) ?? null) : null;
      places.push({ name: this.#nameOf(unit, entry), file, line: at?.line || null, inlined });
      at = { file: entry.attributes.get(AT.callFile)?.value ?? 0, line: entry.attributes.get(AT.callLine)?.value ?? 0 };
    }
    if (places.length > 0 || !at) return places;
    return [{ name: null, file: lines?.file(at.file) ?? null, line: at.line, inlined: false }];
  }

  #headOf(vaddr: number): UnitHead | undefined {
    this.#index ??= this.#indexed();
    let [low, high] = [0, this.#index.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#index[middle]?.from ?? 0) <= vaddr) low = middle + 1;
      else high = middle;
    }
    for (let i = low - 1; i >= Math.max(0, low - MAX_OVERLAPPING); i--) {
      const part = this.#index[i];
      if (part && vaddr < part.to) return part.head;
    }
    return undefined;
  }

  /** What each unit covers, by address: read once, however many frames there are. */
  #indexed(): UnitRange[] {
    const parts: UnitRange[] = [];
    for (const head of this.#heads) {
      if (parts.length >= MAX_PARTS) break;
      try {
        const unit = new Unit(this.#sections, head, false);
        for (const [from, to] of rangesOf(unit, unit.root) ?? [])
          if (to > from && parts.length < MAX_PARTS) parts.push({ from, to, head });
      } catch {
        // one broken unit says nothing about the others
      }
    }
    return parts.sort((a, b) => a.from - b.from);
  }

  #held(head: UnitHead): Held {
    const known = this.#units.get(head.offset);
    if (known) return known;
    const unit = new Unit(this.#sections, head, true);
    const made = { unit, lines: LineProgram.of(unit), functions: functionsOf(unit) };
    if (this.#units.size >= MAX_HELD_UNITS) this.#units.delete(this.#units.keys().next().value ?? 0);
    this.#units.set(head.offset, made);
    return made;
  }

  /** By its own name, or that of what it is a copy of. */
  #nameOf(unit: Unit, entry: DebugEntry): string | null {
    let [from, at] = [unit, entry];
    let plain: string | null = null;
    for (let i = 0; i < MAX_ORIGINS; i++) {
      const { attributes } = at;
      const linkage = from.text(attributes.get(AT.linkageName) ?? attributes.get(AT.mipsLinkageName));
      if (linkage) return linkage;
      plain ??= from.text(attributes.get(AT.name));
      const origin = attributes.get(AT.abstractOrigin) ?? attributes.get(AT.specification);
      if (!origin) break;
      const offset = origin.form === 0x10 ? origin.value : from.head.offset + origin.value;
      if (offset < from.head.offset || offset >= from.head.end) {
        const other = this.#heads.find((each) => each.offset <= offset && offset < each.end);
        if (!other) break;
        from = this.#held(other).unit;
      }
      const next = from.read(offset).entry;
      if (!next) break;
      at = next;
    }
    return plain;
  }
}

/** Once for each unit: LLVM writes no siblings, so that its entries can only be read one after the other. */
function functionsOf(unit: Unit): Held["functions"] {
  const functions: Held["functions"][number][] = [];
  let offset = unit.head.offset + unit.head.bodyAt;
  for (let i = 0; i < MAX_ENTRIES && offset < unit.head.end && functions.length < MAX_PARTS; i++) {
    const { entry, next } = unit.read(offset);
    offset = next;
    if (entry?.tag !== SUBPROGRAM) continue;
    for (const [from, to] of rangesOf(unit, entry) ?? []) functions.push({ from, to, offset: entry.offset });
  }
  return functions;
}

/** A subprogram and the inlined subroutines in it that hold the address, the outermost first. */
function chainAt(unit: Unit, from: number, vaddr: number): DebugEntry[] {
  const chain: DebugEntry[] = [];
  let [offset, depth] = [from, 0];
  for (let i = 0; i < MAX_ENTRIES && offset < unit.head.end; i++) {
    const { entry, next } = unit.read(offset);
    offset = next;
    if (entry && (entry.tag === SUBPROGRAM || entry.tag === INLINED) && covers(unit, entry, vaddr)) chain.push(entry);
    if (!entry) depth--;
    else if (entry.hasChildren) depth++;
    if (depth <= 0) break;
  }
  return chain;
}
