/**
 * Go's own tables: every function with its frame sizes, files, lines and what was inlined into it. The linker never strips them
 * (runtime/symtab.go, internal/abi/symtab.go, cmd/internal/objfile of Go 1.20 and later, whose formats are alike but for where text begins).
 */
import { Cursor } from "../elf/cursor.ts";
import type { Image } from "../image/image.ts";
import { textAt } from "../image/symbols.ts";

/** pcHeader's magic since Go 1.20. */
const MAGIC = 0xfffffff1;
const [FUNC_BYTES, INLINED_BYTES] = [44, 16];
/** _func.flag */
const TOP_FRAME = 1;
/** internal/abi: PCDATA_InlTreeIndex, FUNCDATA_InlTree. */
const [INLINE_INDEX, INLINE_TREE] = [2, 3];
/** moduledata.text and moduledata.gofunc (runtime/symtab.go). */
const [TEXT_AT, GOFUNC_AT] = [0xb0, 0x140];
const MAX_VALUE_BYTES = 1 << 20;
const MAX_FUNCTIONS = 1 << 24;
const NO_FUNCDATA = 0xffffffff;

export interface GoFunction {
  readonly name: string;
  /** vaddrs */
  readonly start: number;
  readonly end: number;
  /** The goroutine's or thread's first: it has no caller. */
  readonly isTop: boolean;
  readonly tables: {
    readonly pcsp: number;
    readonly pcfile: number;
    readonly pcln: number;
    readonly cu: number;
    readonly inlineIndex: number | undefined;
    readonly inlineTree: number | undefined;
  };
}

/** A function at a pc, or one that was inlined there. */
interface GoPlace {
  readonly name: string;
  readonly file: string | null;
  readonly line: number | null;
  readonly inlined: boolean;
}

interface Offsets {
  readonly names: number;
  readonly cus: number;
  readonly files: number;
  readonly pcs: number;
  readonly functions: number;
}

export class GoTable {
  readonly #image: Image;
  readonly #at: Offsets;
  readonly #count: number;
  readonly #quantum: number;
  readonly #text: number;
  readonly #gofunc: number;

  /** @param word a pointer of the module's data as it is in memory, as a vaddr: position-independent programs are relocated */
  static of(image: Image, word: (vaddr: number) => number | undefined): GoTable | undefined {
    const section = image.sections.get(".gopclntab") ?? image.sections.get(".data.rel.ro.gopclntab");
    const head = section && image.at(section.vaddr, 72);
    if (!head || head.length < 72) return undefined;
    const cursor = new Cursor(head, image.header);
    if (cursor.u32() !== MAGIC || head[7] !== 8) return undefined;
    return new GoTable(image, section.vaddr, cursor, word);
  }

  private constructor(image: Image, start: number, head: Cursor, word: (vaddr: number) => number | undefined) {
    this.#image = image;
    this.#quantum = head.bytes[6] || 1;
    head.at = 8;
    const [count, , text, ...offsets] = Array.from({ length: 8 }, () => head.u64());
    const [names = 0, cus = 0, files = 0, pcs = 0, functions = 0] = offsets.map((offset) => start + offset);
    this.#at = { names, cus, files, pcs, functions };
    this.#count = Math.min(count ?? 0, MAX_FUNCTIONS);
    const module = image.sections.get(".go.module")?.vaddr;
    const known = module === undefined ? undefined : word(module + TEXT_AT);
    this.#text = known || text || image.sections.get(".text")?.vaddr || 0;
    this.#gofunc = (module === undefined ? undefined : word(module + GOFUNC_AT)) ?? 0;
  }

  /** The function that holds the vaddr. */
  find(vaddr: number): GoFunction | undefined {
    const offset = vaddr - this.#text;
    let [low, high] = [0, this.#count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#entry(middle).offset <= offset) low = middle + 1;
      else high = middle;
    }
    if (low === 0 || offset < 0) return undefined;
    const [own, next] = [this.#entry(low - 1), this.#entry(low)];
    return offset < next.offset ? this.#function(own, next.offset) : undefined;
  }

  #entry(index: number): { offset: number; func: number } {
    const cursor = new Cursor(this.#image.at(this.#at.functions + index * 8, 8), this.#image.header);
    return { offset: cursor.u32(), func: cursor.u32() };
  }

  #function({ offset, func }: { offset: number; func: number }, end: number): GoFunction {
    const at = this.#at.functions + func;
    const cursor = new Cursor(this.#image.at(at, FUNC_BYTES), this.#image.header, 0, 4);
    const name = cursor.u32();
    cursor.take(8); // args, deferreturn
    const [pcsp, pcfile, pcln, pcdata, cu] = [cursor.u32(), cursor.u32(), cursor.u32(), cursor.u32(), cursor.u32()];
    cursor.take(5); // startLine, funcID
    const flag = cursor.u8();
    cursor.u8();
    const funcdata = cursor.u8();
    const word = (index: number): number =>
      new Cursor(this.#image.at(at + FUNC_BYTES + 4 * index, 4), this.#image.header).u32();
    const tree = funcdata > INLINE_TREE ? word(pcdata + INLINE_TREE) : NO_FUNCDATA;
    return {
      name: textAt(this.#image.at, this.#at.names + name),
      start: this.#text + offset,
      end: this.#text + end,
      isTop: (flag & TOP_FRAME) !== 0,
      tables: {
        pcsp,
        pcfile,
        pcln,
        cu,
        inlineIndex: pcdata > INLINE_INDEX ? word(INLINE_INDEX) : undefined,
        inlineTree: tree === NO_FUNCDATA || this.#gofunc === 0 ? undefined : this.#gofunc + tree,
      },
    };
  }

  /** How far sp lies below where the function was entered, at a vaddr. */
  frameBytes(of: GoFunction, vaddr: number): number | undefined {
    return this.#value(of, of.tables.pcsp, vaddr);
  }

  /** The innermost first: what was inlined at the vaddr, then the function itself. */
  placesAt(of: GoFunction, vaddr: number): GoPlace[] {
    const places: GoPlace[] = [];
    let at = vaddr;
    const { inlineIndex, inlineTree } = of.tables;
    for (let depth = 0; depth < 64; depth++) {
      const index = inlineIndex === undefined ? undefined : this.#value(of, inlineIndex, at);
      if (index === undefined || index < 0 || inlineTree === undefined) break;
      const call = new Cursor(
        this.#image.at(inlineTree + index * INLINED_BYTES, INLINED_BYTES),
        this.#image.header,
        0,
        4,
      );
      const name = textAt(this.#image.at, this.#at.names + call.u32());
      places.push({ name, ...this.#line(of, at), inlined: true });
      at = of.start + call.u32();
    }
    return [...places, { name: of.name, ...this.#line(of, at), inlined: false }];
  }

  #line(of: GoFunction, vaddr: number): { file: string | null; line: number | null } {
    const file = this.#value(of, of.tables.pcfile, vaddr);
    const line = this.#value(of, of.tables.pcln, vaddr) ?? null;
    if (file === undefined || file < 0) return { file: null, line };
    const offset = new Cursor(this.#image.at(this.#at.cus + 4 * (of.tables.cu + file), 4), this.#image.header).u32();
    return { file: textAt(this.#image.at, this.#at.files + offset) || null, line };
  }

  /** A table of values that change with the pc: pairs of LEB128 deltas (runtime.pcvalue). */
  #value(of: GoFunction, table: number, vaddr: number): number | undefined {
    if (table === 0) return undefined;
    let [value, pc, base] = [-1, of.start, this.#at.pcs + table];
    let cursor = new Cursor(this.#image.at(base, 512), this.#image.header);
    for (let first = true, bytes = 0; bytes < MAX_VALUE_BYTES; first = false, bytes += 2) {
      if (cursor.at > cursor.bytes.length - 20) {
        base += cursor.at;
        cursor = new Cursor(this.#image.at(base, 4096), this.#image.header);
      }
      const delta = cursor.uleb();
      if (delta === 0 && !first) return undefined;
      value += delta & 1 ? -(delta + 1) / 2 : delta / 2;
      pc += cursor.uleb() * this.#quantum;
      if (vaddr < pc) return value;
    }
    return undefined;
  }
}
