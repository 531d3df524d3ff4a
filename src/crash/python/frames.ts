/**
 * Python's own frames, from CPython 3.13 on: its run-time describes its structures for debuggers (struct _Py_DebugOffsets,
 * Include/internal/pycore_runtime.h of 3.13 and pycore_debug_offsets.h of 3.14), at the beginning of the section .PyRuntime. Strings and
 * bytes are laid out as they have been since 3.12 on 64 bits (Include/cpython/unicodeobject.h, bytesobject.h).
 */
import { textOf } from "../../domain/text.ts";
import type { Memory } from "../process/memory.ts";
import { lineAt } from "./line-table.ts";

export interface PythonFrame {
  /** Qualified: `Cart.total`. */
  readonly function: string;
  readonly file: string | null;
  readonly line: number | null;
}

const COOKIE = "xdebugpy";
const MAX_FRAMES = 512;
const MAX_THREADS = 4096;
const MAX_TEXT_BYTES = 512;
const MAX_LINE_TABLE_BYTES = 1 << 16;
/** _PyInterpreterFrame.owner: from here on it is the interpreter's own, below which C code called it. */
const OWNED_BY_INTERPRETER = 3n;

/** Where what lies in the structures; the two versions differ in how many fields the interpreter's state and the frame have. */
interface Offsets {
  readonly interpreters: bigint;
  readonly threads: bigint;
  readonly thread: { readonly next: bigint; readonly frame: bigint; readonly nativeId: bigint };
  readonly frame: { readonly previous: bigint; readonly code: bigint; readonly at: bigint; readonly owner: bigint };
  readonly code: {
    readonly file: bigint;
    readonly name: bigint;
    readonly lines: bigint;
    readonly first: bigint;
    readonly bytes: bigint;
  };
}

/** The first word of each structure's part, in words from the cookie on, by minor version. */
const LAYOUTS: Readonly<Record<number, { interpreter: number; thread: number; frame: number; code: number }>> = {
  13: { interpreter: 6, thread: 19, frame: 28, code: 34 },
};

/**
 * The Python frames of a thread, from the innermost outwards, in the groups that one call of the evaluator each ran.
 * @param runtime where .PyRuntime lies in memory
 * @param tid as the process itself knows it
 */
export function pythonFrames(memory: Memory, runtime: bigint, tid: number): PythonFrame[][] {
  const offsets = offsetsAt(memory, runtime);
  if (!offsets) return [];
  const thread = threadOf(memory, runtime, offsets, BigInt(tid));
  const groups: PythonFrame[][] = [[]];
  let frame = thread === undefined ? 0n : (memory.word(thread + offsets.thread.frame) ?? 0n);
  for (let i = 0; i < MAX_FRAMES && frame !== 0n; i++) {
    const owner = memory.number(frame + offsets.frame.owner, 1);
    if (owner === undefined) break;
    if (owner >= OWNED_BY_INTERPRETER) groups.push([]);
    else groups.at(-1)?.push(frameAt(memory, frame, offsets));
    frame = memory.word(frame + offsets.frame.previous) ?? 0n;
  }
  return groups;
}

function offsetsAt(memory: Memory, runtime: bigint): Offsets | undefined {
  const cookie = memory.bytes(runtime, 8);
  if (!cookie || Buffer.from(cookie).toString("latin1") !== COOKIE) return undefined;
  const word = (index: number): bigint => memory.word(runtime + BigInt(8 * index)) ?? 0n;
  const layout = LAYOUTS[Number((word(1) >> 16n) & 0xffn)];
  if (!layout || word(2) !== 0n) return undefined; // another version, or free-threaded: other structures
  const { interpreter, thread, frame, code } = layout;
  return {
    interpreters: word(5),
    threads: word(interpreter + 3),
    thread: { next: word(thread + 2), frame: word(thread + 4), nativeId: word(thread + 6) },
    frame: { previous: word(frame + 1), code: word(frame + 2), at: word(frame + 3), owner: word(frame + 5) },
    code: {
      file: word(code + 1),
      name: word(code + 3),
      lines: word(code + 4),
      first: word(code + 5),
      bytes: word(code + 9),
    },
  };
}

function threadOf(
  memory: Memory,
  runtime: bigint,
  { interpreters, threads, thread }: Offsets,
  tid: bigint,
): bigint | undefined {
  const interpreter = memory.word(runtime + interpreters);
  let at = interpreter === undefined ? 0n : (memory.word(interpreter + threads) ?? 0n);
  for (let i = 0; i < MAX_THREADS && at !== 0n; i++) {
    if (memory.word(at + thread.nativeId) === tid) return at;
    at = memory.word(at + thread.next) ?? 0n;
  }
  return undefined;
}

function frameAt(memory: Memory, frame: bigint, { frame: own, code: offsets }: Offsets): PythonFrame {
  const code = (memory.word(frame + own.code) ?? 0n) & ~3n; // the low bits are tags
  const at = (memory.word(frame + own.at) ?? 0n) - (code + offsets.bytes);
  const first = Number(memory.number(code + offsets.first, 4) ?? 0n);
  const table = bytesAt(memory, memory.word(code + offsets.lines));
  return {
    function: stringAt(memory, memory.word(code + offsets.name)) ?? "?",
    file: stringAt(memory, memory.word(code + offsets.file)) ?? null,
    line: table && at >= 0n && at < 1n << 24n ? lineAt(table, first, Number(at) / 2) : null,
  };
}

/** PyUnicodeObject: length at 16, state at 32 (kind in bits 2 to 4, compact 5, ascii 6), then the text. */
function stringAt(memory: Memory, object: bigint | undefined): string | undefined {
  if (object === undefined || object === 0n) return undefined;
  const [length, state] = [memory.word(object + 16n), memory.number(object + 32n, 4)];
  if (length === undefined || state === undefined || length > 1n << 20n) return undefined;
  const [kind, isCompact, isAscii] = [(state >> 2n) & 7n, (state >> 5n) & 1n, (state >> 6n) & 1n];
  if (isCompact === 0n || ![1n, 2n, 4n].includes(kind)) return undefined;
  const count = Math.min(Number(length), MAX_TEXT_BYTES) * Number(kind);
  const bytes = memory.bytes(object + (isAscii ? 40n : 56n), count);
  if (!bytes) return undefined;
  if (isAscii) return textOf(bytes);
  const units = Array.from({ length: count / Number(kind) }, (_, i) =>
    Number(kind) === 1 ? (bytes[i] ?? 0) : Buffer.from(bytes).readUIntLE(i * Number(kind), Number(kind)),
  );
  return units.map((unit) => (unit <= 0x10ffff ? String.fromCodePoint(unit) : "?")).join("");
}

/** PyBytesObject: length at 16, content at 32. */
function bytesAt(memory: Memory, object: bigint | undefined): Uint8Array | undefined {
  const length = object ? memory.word(object + 16n) : undefined;
  return object && length !== undefined && length <= MAX_LINE_TABLE_BYTES
    ? memory.bytes(object + 32n, Number(length))
    : undefined;
}
