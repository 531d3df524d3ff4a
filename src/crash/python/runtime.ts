/** The Python interpreter of a process, if it has one: which version, and what each thread is running. */
import { fieldsOf } from "../elf/bytes.ts";
import { exportedAt } from "../image/dynamic.ts";
import type { Image } from "../image/image.ts";
import type { Module } from "../image/modules.ts";
import { attempted, type Context } from "../unwind/context.ts";
import { type CPythonLayout, describedVersion, layoutOf, MAX_OFFSETS_BYTES, versionOf } from "./layout.ts";
import { lineAt } from "./lines.ts";
import { bytesAt, textAt } from "./objects.ts";

/** Steps along lists, and from frame to frame for a whole process: what is in memory may be a ring. */
const [MAX_THREADS, MAX_STEPS] = [4096, 20_000];
const AT_ENTRY = 9;
/** Marks in the lowest bits of a reference (3.14, _PyStackRef). */
const TAGS = 7n;

export interface PythonFrame {
  readonly function: string | null;
  readonly file: string | null;
  readonly line: number | null;
  /** Of the instruction, in memory. */
  readonly pc: bigint;
}

/** Frames that one call of the evaluator runs, the innermost first. */
export interface PythonRun {
  readonly frames: readonly PythonFrame[];
  /** An address in that call's own stack frame; undefined: not found. */
  readonly stackAddress: bigint | undefined;
}

export class PythonRuntime {
  /** As `3.13.0`. */
  readonly version: string;
  readonly #context: Context;
  readonly #layout: CPythonLayout | undefined;
  readonly #start: bigint;
  readonly #codes = new Map<bigint, Code | undefined>();
  #threads: ReadonlyMap<bigint, bigint> | undefined;
  #steps = 0;

  static of(context: Context): PythonRuntime | undefined {
    if (context.arch.bits !== 64) return undefined;
    const main = context.modules.at(context.process.auxv.get(AT_ENTRY) ?? 0n);
    for (const module of context.modules.all) {
      if (module !== main && !/python/i.test(module.path)) continue;
      const found = attempted(() => PythonRuntime.#in(context, module));
      if (found) return found;
    }
    return undefined;
  }

  static #in(context: Context, module: Module): PythonRuntime | undefined {
    const { image } = module;
    const at = image && (image.sections.get(".PyRuntime")?.vaddr ?? exportedAt(image, "_PyRuntime"));
    if (!at) return undefined;
    const start = BigInt.asUintN(64, module.bias + BigInt(at));
    const described = context.memory.some(start, MAX_OFFSETS_BYTES);
    const version = versionOf(describedVersion(described) ?? exportedVersion(image) ?? 0);
    return version && new PythonRuntime(context, start, version, described);
  }

  private constructor(
    context: Context,
    start: bigint,
    version: { minor: number; text: string },
    described: Uint8Array,
  ) {
    this.#context = context;
    this.#start = start;
    this.version = version.text;
    this.#layout = attempted(() => layoutOf(version.minor, described));
  }

  /**
   * What a thread runs, the innermost first.
   * @param max frames
   */
  runsOf(tid: number, max: number): PythonRun[] {
    const layout = this.#layout;
    return (layout && attempted(() => this.#runsIn(layout, tid, max))) ?? [];
  }

  #runsIn(layout: CPythonLayout, tid: number, max: number): PythonRun[] {
    this.#threads ??= this.#threadsOf(layout);
    const thread = this.#threads.get(BigInt(tid));
    const current = this.#word(thread, layout.thread.frame);
    return layout.record
      ? this.#runs(layout, this.#word(current, layout.record.frame), max, current)
      : this.#runs(layout, current, max);
  }

  #word(address: bigint | undefined, offset: number): bigint | undefined {
    return address === undefined || address === 0n ? undefined : this.#context.memory.word(address + BigInt(offset));
  }

  #byte(address: bigint, offset: number): number {
    return Number(this.#context.memory.number(address + BigInt(offset), 1) ?? 0n);
  }

  /** Thread states by thread id, of all interpreters. */
  #threadsOf(layout: CPythonLayout): ReadonlyMap<bigint, bigint> {
    const threads = new Map<bigint, bigint>();
    let steps = 0;
    let interpreter = this.#word(this.#start, layout.interpreters);
    for (; interpreter && steps++ < MAX_THREADS; interpreter = this.#word(interpreter, layout.interpreter.next)) {
      let thread = this.#word(interpreter, layout.interpreter.threads);
      for (; thread && steps++ < MAX_THREADS; thread = this.#word(thread, layout.thread.next)) {
        const tid = this.#word(thread, layout.thread.tid);
        if (tid) threads.set(tid, thread);
      }
    }
    return threads;
  }

  /** @param record 3.11 and 3.12: of the innermost call of the evaluator; it lies in its stack frame */
  #runs(layout: CPythonLayout, first: bigint | undefined, max: number, record?: bigint): PythonRun[] {
    const { frame } = layout;
    const runs: PythonRun[] = [];
    let [frames, left]: [PythonFrame[], number] = [[], max];
    const close = (stackAddress: bigint | undefined): void => {
      if (frames.length > 0) runs.push({ frames, stackAddress });
      frames = [];
    };
    // A run that is longer than `max` is followed to its end, to know where it belongs.
    for (let at = first; at && this.#steps++ < MAX_STEPS; at = this.#word(at, frame.previous)) {
      if (left === 0 && frames.length === 0) return runs;
      if (this.#byte(at, frame.owner) >= frame.ownStack) {
        close(at);
        continue;
      }
      const shown = left > 0 ? this.#frame(layout, at) : undefined;
      if (shown) {
        frames.push(shown);
        left--;
      }
      if (frame.isEntry !== undefined && this.#byte(at, frame.isEntry) !== 0) {
        close(record);
        record = this.#word(record, layout.record?.previous ?? 0);
      }
    }
    close(undefined);
    return runs;
  }

  #frame(layout: CPythonLayout, at: bigint): PythonFrame | undefined {
    const code = this.#code(layout, (this.#word(at, layout.frame.code) ?? 0n) & ~TAGS);
    const pc = this.#word(at, layout.frame.instruction);
    if (!code || pc === undefined) return undefined;
    const unit = Number(BigInt.asIntN(64, pc - code.instructions) / 2n);
    return { ...code.names, line: code.lineAt(unit), pc };
  }

  #code(layout: CPythonLayout, address: bigint): Code | undefined {
    if (!this.#codes.has(address))
      this.#codes.set(
        address,
        attempted(() => this.#readCode(layout, address)),
      );
    return this.#codes.get(address);
  }

  /** @returns undefined for what is not a function of the program's: the interpreter's own have no file */
  #readCode(layout: CPythonLayout, address: bigint): Code | undefined {
    const { memory } = this.#context;
    const { code } = layout;
    const text = (offset: number): string | null => textAt(memory, layout, this.#word(address, offset) ?? 0n) ?? null;
    const names = { function: text(code.name), file: text(code.file) };
    if (names.file === "" || (names.file === null && names.function === null)) return undefined;
    const table = attempted(() => bytesAt(memory, layout, this.#word(address, code.lines) ?? 0n));
    const firstLine = Number(memory.number(address + BigInt(code.firstLine), 4) ?? 0n) | 0;
    return {
      names,
      instructions: address + BigInt(code.instructions),
      lineAt: (unit) => (table && unit >= 0 ? lineAt(table, firstLine, unit) : null),
    };
  }
}

interface Code {
  readonly names: { readonly function: string | null; readonly file: string | null };
  readonly instructions: bigint;
  lineAt(unit: number): number | null;
}

/** Py_Version, exported since 3.11 (Include/pylifecycle.h). */
function exportedVersion(image: Image): number | undefined {
  const at = exportedAt(image, "Py_Version");
  const bytes = at === undefined ? undefined : image.at(at, 8);
  return bytes?.length === 8 ? fieldsOf(bytes, image.header).u32(0) : undefined;
}
