/** What is known of a crash once its stack has been read. It goes into records and objects as it is: names are additions only. */

/** How a frame was found, the surest first; `scan` may name a frame that is not there. */
export type Trust = "context" | "signal" | "cfi" | "go" | "fp" | "ra" | "scan";

export type FrameKind = "native" | "go" | "python" | "signal" | "jit";

export interface CrashFrame {
  /** Readable name; null where nothing names it. Bytes that the program chose: printable, at most MAX_NAME_BYTES. */
  readonly function: string | null;
  /** Into `modules`; null: no file is mapped at pc. */
  readonly module: number | null;
  /** Where it goes on, in the process's memory: `0x…`. For a caller it is the return address. */
  readonly pc: string;
  /** The same in the module's own addresses, as `addr2line` and `nm` take it. */
  readonly offset: number | null;
  /** From the beginning of the function. */
  readonly functionOffset: number | null;
  readonly file: string | null;
  readonly line: number | null;
  /** The compiler put it into the frame below it in this list: there is no call. */
  readonly inlined: boolean;
  readonly kind: FrameKind;
  readonly trust: Trust;
}

export type ModuleState = "read" | "deleted" | "changed" | "notOpened" | "unsupported";

export interface CrashModule {
  /** As the process saw it. */
  readonly path: string;
  readonly buildId: string | null;
  readonly start: string;
  readonly end: string;
  /** Of the file; known only where it was kept. */
  readonly sha256: string | null;
  readonly state: ModuleState;
  /** Note .note.package (systemd's "Package Metadata for Executable Files"). */
  readonly package: { readonly name: string; readonly version: string; readonly os: string | null } | null;
  /** Go's build information. */
  readonly go: { readonly module: string; readonly version: string; readonly revision: string | null } | null;
}

export interface CrashThread {
  /** In the process's own pid namespace. */
  readonly tid: number;
  readonly name: string | null;
  readonly crashed: boolean;
  readonly stack: readonly CrashFrame[];
}

export interface Crash {
  readonly title: string;
  /** 12 hex digits: the same for the same bug (docs/crash.md says how far). A program can forge it. */
  readonly fingerprint: string | null;
  /** The same of the first frame alone. */
  readonly site: string | null;
  readonly version: 1;
  /** Why the stack is missing or ends early; null when nothing is wrong. */
  readonly problem: string | null;
  readonly runtime: { readonly name: string; readonly version: string | null } | null;
  /** Of the thread that crashed. */
  readonly stack: readonly CrashFrame[];
  /** There is more of it. */
  readonly deeper: boolean;
  readonly threads: readonly CrashThread[];
  readonly modules: readonly CrashModule[];
}

export const MAX_FRAMES = 256;
export const MAX_THREADS = 64;
export const MAX_THREAD_FRAMES = 32;
export const MAX_MODULES = 1024;
export const MAX_NAME_BYTES = 512;
