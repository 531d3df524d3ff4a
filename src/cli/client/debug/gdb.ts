/**
 * gdb over a core that may be hostile: it runs nothing that comes from there, contacts no server, and sees the view only. Its working
 * directory must be the view: it looks there for libraries before it looks anywhere else. No library of this machine but gdb's own
 * is let at the core: libthread_db would walk the process's list of threads, which may have no end, and gdb hears no Ctrl-C in there.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { DumpError } from "../../../domain/failures.ts";
import { printable } from "../../../domain/text.ts";
import { formatDuration } from "../../../domain/units.ts";
import { type Bounds, complaint, type Ended, isThere } from "./tool.ts";

export interface DebugSubject {
  readonly executable: string;
  readonly core: string;
  /** What is `/` to it. */
  readonly sysroot: string;
  /** Where to look for libraries that are not under the name they are asked for. */
  readonly folders: readonly string[];
  readonly debuginfod: boolean;
}

/** Nothing lies in what is not a folder. (gdb takes an empty path for its default, where the machine's own libthread_db is.) */
const NOWHERE = "/dev/null";
/** The backtraces of some ten thousand threads. */
const MAX_OUTPUT_BYTES = 16 << 20;
/** After which one that does not end when it is asked to is killed. */
const PATIENCE_MS = 2000;
const MARK = "== the backtrace begins here ==";
/** Frames; a stack that was overwritten may have no end. */
const MAX_FRAMES = 512;

export const gdbArguments = (subject: DebugSubject): string[] => [...optionsFor(subject), ...filesOf(subject)];

export function batchArguments(subject: DebugSubject, allThreads: boolean): string[] {
  const settings = ["width 0", "pagination off", `backtrace limit ${MAX_FRAMES}`, "print address off"];
  const backtrace = allThreads ? "thread apply all backtrace" : "backtrace";
  const commands = [...settings.map((setting) => `set ${setting}`), `echo ${MARK}\\n`, backtrace];
  return ["-batch", ...optionsFor(subject), ...commands.flatMap((command) => ["-ex", command]), ...filesOf(subject)];
}

/** They hold before any file is opened (-iex). */
function optionsFor({ sysroot, folders, debuginfod }: DebugSubject): string[] {
  const settings = [
    "auto-load off", // scripts beside or inside of what is opened, and its libthread_db
    `libthread-db-search-path ${NOWHERE}`,
    `debuginfod enabled ${debuginfod ? "on" : "off"}`,
    `sysroot ${sysroot}`,
    `debug-file-directory ${sysroot}/usr/lib/debug`,
    `solib-search-path ${folders.join(":")}`,
  ];
  return ["-nx", "-q", ...settings.flatMap((setting) => ["-iex", `set ${setting}`])];
}

const filesOf = ({ executable, core }: DebugSubject): string[] => ["--", executable, core];

export const boundsFor = (timeoutMs: number): Bounds => ({ timeoutMs, outputBytes: MAX_OUTPUT_BYTES });

/**
 * The lines of a batch run that are the backtrace; whatever is in them is text.
 * @returns the lines, and what is to be thrown when they have been printed: not all of them came
 * @throws DumpError CORE_UNREADABLE when there are none, TOOL_MISSING when there is no gdb
 */
export function backtraceIn(ended: Ended, { timeoutMs }: Bounds): { lines: string[]; cut: DumpError | undefined } {
  const all = ended.stdout.split("\n");
  const from = all.indexOf(MARK);
  const lines = (from < 0 ? [] : all.slice(from + 1)).filter((line) => line.trim() !== "").map(printable);
  const cut = ended.cut && cutShort(ended.cut, timeoutMs);
  if (lines.length > 0) return { lines, cut };
  if (cut) throw cut;
  throw new DumpError("CORE_UNREADABLE", `Cannot print the backtrace: gdb says: ${printable(complaint(ended))}`);
}

const cutShort = (by: "time" | "output", timeoutMs: number): DumpError => {
  const why =
    by === "time"
      ? `gdb was not done in ${formatDuration(timeoutMs)}`
      : `gdb printed more than ${MAX_OUTPUT_BYTES >> 20} MiB`;
  return new DumpError("CORE_UNREADABLE", `Cannot print all of the backtrace: ${why}`, {
    hint: "A damaged core can lead gdb round in circles; for a large one, --gdb-timeout allows more time",
  });
};

/** @returns the one to call @throws DumpError TOOL_MISSING */
export function gdbHere(named: string | undefined): string {
  const found = (named === undefined ? ["gdb", "gdb-multiarch"] : [named]).find(isThere);
  if (found !== undefined) return found;
  throw new DumpError("TOOL_MISSING", `Cannot debug here: there is no ${named ?? "gdb"}`, {
    hint: "Install gdb, name one with --gdb, or debug in the cluster with --in-cluster",
  });
}

/**
 * With the terminal. Ctrl-C is its own; what ends us ends it first, and Ctrl-\ ends it when it no longer hears Ctrl-C.
 * @returns its exit code
 */
export async function interactive(program: string, args: readonly string[], cwd = process.cwd()): Promise<number> {
  const child = spawn(program, args, { stdio: "inherit", cwd });
  const kill = (): unknown => child.kill("SIGKILL");
  let late: NodeJS.Timeout | undefined;
  const end = (): void => {
    child.kill();
    late ??= setTimeout(kill, PATIENCE_MS);
  };
  const listeners = { SIGTERM: end, SIGHUP: end, SIGQUIT: kill } as const;
  for (const [signal, listener] of Object.entries(listeners)) process.on(signal, listener);
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return code ?? 1;
  } finally {
    clearTimeout(late);
    for (const [signal, listener] of Object.entries(listeners)) process.off(signal, listener);
  }
}
