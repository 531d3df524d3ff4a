/** What is known of a crash once its stack has been read. It goes into records and objects as it is: names are additions only. */

import { flag, list, number, OTHER, object, orNull, text, type ValueOf } from "./fields.ts";

/** How a frame was found, the surest first; `scan` may name a frame that is not there. */
export type Trust = "context" | "signal" | "cfi" | "go" | "fp" | "ra" | "scan";

type FrameKind = "native" | "go" | "python" | "signal" | "jit";

export type ModuleState = "read" | "deleted" | "changed" | "notOpened" | "unsupported";

const [maybeText, maybeNumber] = [orNull(text()), orNull(number())];

const FRAME = object({
  /** Readable name; null where nothing names it. Bytes that the program chose: printable, at most MAX_NAME_BYTES. */
  function: maybeText,
  /** Into `modules`; null: no file is mapped at pc. */
  module: maybeNumber,
  /** Where it goes on, in the process's memory: `0x…`. For a caller it is the return address. */
  pc: text("unknown"),
  /** The same in the module's own addresses, as `addr2line` and `nm` take it. */
  offset: maybeNumber,
  /** From the beginning of the function. */
  functionOffset: maybeNumber,
  file: maybeText,
  line: maybeNumber,
  /** The compiler put it into the frame below it in this list: there is no call. */
  inlined: flag(),
  kind: text<FrameKind>("native"),
  trust: text<Trust>("cfi"),
});

const MODULE = object({
  /** As the process saw it. */
  path: text("unknown"),
  buildId: maybeText,
  start: text("0x0"),
  end: text("0x0"),
  /** Of the file; known only where it was kept. */
  sha256: maybeText,
  state: text<ModuleState>("notOpened"),
  /** Note .note.package (systemd's "Package Metadata for Executable Files"). */
  package: orNull(object({ name: text(), version: text(), os: maybeText })),
  /** Go's build information. */
  go: orNull(object({ module: text(), version: text(), revision: maybeText })),
});

export const THREAD = object({
  /** In the process's own pid namespace, as gdb shows it. */
  tid: number(),
  name: maybeText,
  crashed: flag(),
});
const STACKED = object({ ...THREAD.fields, stack: list(FRAME) });

export const CRASH = object({
  title: text("a crash"),
  /** 12 hex digits: the same for the same bug (docs/crash.md says how far). A program can forge it. */
  fingerprint: maybeText,
  /** The same of the first frame alone. */
  site: maybeText,
  version: number<1>(1),
  /** Why the stack is missing or ends early; null when nothing is wrong. */
  problem: maybeText,
  runtime: orNull(object({ name: text(), version: maybeText })),
  /** Of the thread that crashed. */
  stack: list(FRAME),
  /** There is more of it. */
  deeper: flag(),
  threads: list(STACKED),
  modules: list(MODULE),
});

export type Crash = ValueOf<typeof CRASH>;
export type CrashFrame = ValueOf<typeof FRAME>;
export type CrashModule = ValueOf<typeof MODULE>;
export type CrashThread = ValueOf<typeof STACKED>;

/** A crash as the API has it, where every field may be missing. */
export function crashFrom(json: unknown): Crash | null {
  const crash = CRASH.read(json, true);
  return crash === OTHER ? null : crash;
}

export const MAX_FRAMES = 256;
export const MAX_THREADS = 64;
export const MAX_THREAD_FRAMES = 32;
export const MAX_MODULES = 1024;
export const MAX_NAME_BYTES = 512;

/** A frame in as few words as name it: its function, else its module and the offset there, else where it is. */
export function frameName(frame: CrashFrame, { modules }: Pick<Crash, "modules">): string {
  if (frame.kind === "signal") return "<signal handler called>";
  if (frame.function !== null) return frame.function;
  if (frame.kind === "jit") return "<generated code>";
  const module = frame.module === null ? undefined : modules[frame.module];
  return module && frame.offset !== null ? `${baseName(module.path)}+0x${frame.offset.toString(16)}` : frame.pc;
}

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** What records and objects keep of a crash: enough for people, and small enough for the API (docs/crash.md). */
const SHORT = { frames: 32, threads: 8, threadFrames: 8, modules: 64, nameLength: 160, bytes: 20 << 10 } as const;

/**
 * A crash in at most SHORT.bytes of JSON: the other threads go first, then the frames farthest from the fault. Only
 * modules that a frame lies in are named; frames count them as they stand here.
 */
export function shortened(crash: Crash): Crash {
  const others = crash.threads.filter((thread) => !thread.crashed && isThread(thread)).slice(0, SHORT.threads);
  const threads = others.map((thread) => ({ ...thread, stack: thread.stack.slice(0, SHORT.threadFrames) }));
  for (let frames: number = SHORT.frames; frames >= 1; frames >>= 1) {
    for (const kept of frames === SHORT.frames ? [threads, []] : [[]]) {
      const short = cut(crash, frames, kept);
      if (Buffer.byteLength(JSON.stringify(short)) <= SHORT.bytes) return short;
    }
  }
  return { ...cut(crash, 0, []), deeper: crash.stack.length > 0 };
}

function cut(crash: Crash, frames: number, threads: readonly CrashThread[]): Crash {
  const modules: CrashModule[] = [];
  const places = new Map<number, number>();
  const frameOf = (frame: CrashFrame): CrashFrame => ({
    ...frame,
    function: cutName(frame.function),
    file: cutName(frame.file),
    module: moduleOf(frame.module),
    offset: counted(frame.offset),
    functionOffset: counted(frame.functionOffset),
    line: counted(frame.line),
  });
  const moduleOf = (index: number | null): number | null => {
    const module = index === null ? undefined : crash.modules[index];
    if (index === null || module === undefined) return null;
    const known = places.get(index) ?? (modules.length < SHORT.modules ? modules.push(shortModule(module)) - 1 : null);
    if (known !== null) places.set(index, known);
    return known;
  };
  return {
    ...crash,
    title: cutName(crash.title) || "a crash",
    problem: cutName(crash.problem),
    stack: crash.stack.slice(0, frames).map(frameOf),
    deeper: crash.deeper || crash.stack.length > frames,
    threads: threads.map((thread) => ({ ...thread, stack: thread.stack.map(frameOf) })),
    modules,
  };
}

const shortModule = (module: CrashModule): CrashModule => ({ ...module, path: cutName(module.path) || "unknown" });

/** Numbers that a hostile file can make are no more than numbers that JSON and the API take. */
const counted = (count: number | null): number | null =>
  count !== null && Number.isSafeInteger(count) && count >= 0 ? count + 0 : null; // -0 is 0;

/** A thread's id as the kernel gives them (PID_MAX_LIMIT of 64-bit kernels); notes can hold anything. */
const isThread = ({ tid }: CrashThread): boolean => tid >= 1 && tid <= 4194304;

const cutName = (name: string | null): string | null =>
  name !== null && name.length > SHORT.nameLength ? `${name.slice(0, SHORT.nameLength - 1).toWellFormed()}…` : name;
