/**
 * Where CPython's structures have what a stack needs, in bytes, for 64 bits. Since 3.13 the process says it itself
 * (Include/internal/pycore_debug_offsets.h, `_Py_DebugOffsets` at the beginning of `_PyRuntime`); 3.11 and 3.12 have not changed
 * since their first release (Include/internal/pycore_{frame,interp,runtime}.h, Include/cpython/{code,pystate,unicodeobject}.h).
 */

export interface CPythonLayout {
  /** In _PyRuntimeState: the first interpreter. */
  readonly interpreters: number;
  readonly interpreter: { readonly next: number; readonly threads: number };
  /** `frame`: the current one; of 3.11 and 3.12 the C stack's record of it, `record`. */
  readonly thread: { readonly next: number; readonly tid: number; readonly frame: number };
  readonly record?: { readonly frame: number; readonly previous: number };
  readonly frame: {
    readonly previous: number;
    readonly code: number;
    /** The instruction that it is at. */
    readonly instruction: number;
    /** A byte: from `ownStack` on the frame is none of the program's, but lies on the C stack of the evaluator that the frames above it are in. */
    readonly owner: number;
    readonly ownStack: number;
    /** 3.11 has no such frames: a byte that is set in the outermost frame of an evaluator. */
    readonly isEntry?: number;
  };
  readonly code: {
    readonly file: number;
    readonly name: number;
    readonly lines: number;
    readonly firstLine: number;
    readonly instructions: number;
  };
  readonly bytes: { readonly size: number; readonly data: number };
  /** `ascii` and `other`: where the characters begin. */
  readonly text: { readonly length: number; readonly state: number; readonly ascii: number; readonly other: number };
}

const BYTES = { size: 16, data: 32 };
const TEXT = { length: 16, state: 32, ascii: 40, other: 56 };

const PYTHON_3_11: CPythonLayout = {
  interpreters: 40,
  interpreter: { next: 0, threads: 16 },
  thread: { next: 8, tid: 160, frame: 56 },
  record: { frame: 8, previous: 16 },
  frame: { previous: 48, code: 32, instruction: 56, owner: 69, ownStack: 256, isEntry: 68 },
  code: { file: 112, name: 128, lines: 136, firstLine: 72, instructions: 184 },
  bytes: BYTES,
  text: { ...TEXT, ascii: 48, other: 72 },
};

const PYTHON_3_12: CPythonLayout = {
  interpreters: 40,
  interpreter: { next: 0, threads: 72 },
  thread: { next: 8, tid: 144, frame: 56 },
  record: { frame: 0, previous: 8 },
  frame: { previous: 8, code: 0, instruction: 56, owner: 70, ownStack: 3 },
  code: { file: 112, name: 128, lines: 136, firstLine: 68, instructions: 192 },
  bytes: BYTES,
  text: TEXT,
};

/** `_Py_DebugOffsets` as words of 64 bits: the cookie, the version, whether it is free-threaded, and then these groups, each of so many words. */
const COOKIE = "xdebugpy";
const FIRST_GROUP = 3;
const GROUPS: Readonly<Record<number, Readonly<Record<string, number>>>> = {
  13: {
    ...{ runtime: 3, interpreter: 13, thread: 9, frame: 6, code: 10, object: 2, type: 4, tuple: 3, list: 3 },
    ...{ dict: 3, float: 2, long: 3, bytes: 3, text: 4 },
  },
  14: {
    ...{ runtime: 3, interpreter: 16, thread: 9, frame: 8, code: 11, object: 2, type: 4, tuple: 3, list: 3, set: 4 },
    ...{ dict: 3, float: 2, long: 3, bytes: 3, text: 4 },
  },
};
export const MAX_OFFSETS_BYTES = 1024;
/** No structure is larger but the run-time's and an interpreter's: offsets beyond it are not ours. */
const MAX_OFFSET = 1 << 20;

/** @param hex PY_VERSION_HEX */
export function versionOf(hex: number): { readonly minor: number; readonly text: string } | undefined {
  const [major, minor, micro] = [hex >>> 24, (hex >>> 16) & 255, (hex >>> 8) & 255];
  return major === 3 ? { minor, text: `${major}.${minor}.${micro}` } : undefined;
}

/** PY_VERSION_HEX out of the first bytes of _PyRuntime; undefined: before 3.13, or not initialized. */
export function describedVersion(start: Uint8Array): number | undefined {
  if (start.length < 16 || Buffer.from(start.subarray(0, 8)).toString("latin1") !== COOKIE) return undefined;
  return new DataView(start.buffer, start.byteOffset).getUint32(8, true);
}

/**
 * @param start the first MAX_OFFSETS_BYTES of _PyRuntime
 * @returns undefined: this version is not known, or is free-threaded, which has other strings and copies of instructions
 */
export function layoutOf(minor: number, start: Uint8Array): CPythonLayout | undefined {
  if (minor === 11) return PYTHON_3_11;
  if (minor === 12) return PYTHON_3_12;
  const groups = GROUPS[minor];
  const isFreeThreaded = groups && new DataView(start.buffer, start.byteOffset).getBigUint64(16, true) !== 0n;
  return groups && !isFreeThreaded ? describedLayout(wordsOf(groups, start)) : undefined;
}

function wordsOf(groups: Readonly<Record<string, number>>, start: Uint8Array): (group: string, word: number) => number {
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const first = new Map<string, number>();
  let next = FIRST_GROUP;
  for (const [group, words] of Object.entries(groups)) {
    first.set(group, next);
    next += words;
  }
  return (group, word) => {
    const offset = Number(view.getBigUint64(8 * ((first.get(group) ?? 0) + word), true));
    if (offset > MAX_OFFSET) throw new RangeError("an offset beyond its structure");
    return offset;
  };
}

function describedLayout(at: (group: string, word: number) => number): CPythonLayout {
  const ascii = at("text", 3);
  return {
    interpreters: at("runtime", 2),
    interpreter: { next: at("interpreter", 2), threads: at("interpreter", 3) },
    thread: { next: at("thread", 2), frame: at("thread", 4), tid: at("thread", 6) },
    frame: {
      previous: at("frame", 1),
      code: at("frame", 2),
      instruction: at("frame", 3),
      owner: at("frame", 5),
      ownStack: 3, // FRAME_OWNED_BY_CSTACK of 3.13, FRAME_OWNED_BY_INTERPRETER and more of 3.14
    },
    code: {
      file: at("code", 1),
      name: at("code", 3),
      lines: at("code", 4),
      firstLine: at("code", 5),
      instructions: at("code", 9),
    },
    bytes: { size: at("bytes", 1), data: at("bytes", 2) },
    text: { length: at("text", 2), state: at("text", 1), ascii, other: ascii + 16 },
  };
}
