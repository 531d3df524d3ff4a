/**
 * gdb over a core that may be hostile: it runs nothing that comes from there, asks nobody, and sees the view only. Its working
 * directory must be the view: it looks there for libraries before it looks anywhere else.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { DumpError } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import { complaint, type Ended, isThere } from "./tool.ts";

export interface Subject {
  readonly executable: string;
  readonly core: string;
  /** What is `/` to it. */
  readonly sysroot: string;
  /** Where to look for libraries that are not under the name they are asked for. */
  readonly folders: readonly string[];
  readonly debuginfod: boolean;
}

const MARK = "== the backtrace begins here ==";
/** Frames; a stack that was overwritten may have no end. */
const MAX_FRAMES = 512;

export const gdbArguments = (subject: Subject): string[] => [...optionsFor(subject), ...filesOf(subject)];

export function batchArguments(subject: Subject, allThreads: boolean): string[] {
  const settings = ["width 0", "pagination off", `backtrace limit ${MAX_FRAMES}`, "print address off"];
  const backtrace = allThreads ? "thread apply all backtrace" : "backtrace";
  const commands = [...settings.map((setting) => `set ${setting}`), `echo ${MARK}\\n`, backtrace];
  return ["-batch", ...optionsFor(subject), ...commands.flatMap((command) => ["-ex", command]), ...filesOf(subject)];
}

/** They hold before any file is opened (-iex). */
function optionsFor({ sysroot, folders, debuginfod }: Subject): string[] {
  const settings = [
    "auto-load off", // scripts beside or inside of what is opened, and its libthread_db
    `debuginfod enabled ${debuginfod ? "on" : "off"}`,
    `sysroot ${sysroot}`,
    `debug-file-directory ${sysroot}/usr/lib/debug`,
    `solib-search-path ${folders.join(":")}`,
  ];
  return ["-nx", "-q", ...settings.flatMap((setting) => ["-iex", `set ${setting}`])];
}

const filesOf = ({ executable, core }: Subject): string[] => ["--", executable, core];

/** The lines of a batch run that are the backtrace; whatever is in them is text. */
export function backtraceIn(ended: Ended): string[] {
  const lines = ended.stdout.split("\n");
  const from = lines.indexOf(MARK);
  const found = from < 0 ? [] : lines.slice(from + 1).filter((line) => line.trim() !== "");
  if (found.length > 0) return found.map(printable);
  throw new DumpError("CORE_UNREADABLE", `Cannot tell the backtrace: gdb says: ${printable(complaint(ended))}`);
}

/** @returns the one to call @throws DumpError TOOL_MISSING */
export function gdbHere(named: string | undefined): string {
  const found = (named === undefined ? ["gdb", "gdb-multiarch"] : [named]).find(isThere);
  if (found !== undefined) return found;
  throw new DumpError("TOOL_MISSING", `Cannot debug here: there is no ${named ?? "gdb"}`, {
    hint: "Install gdb, name one with --gdb, or debug in the cluster with --in-cluster",
  });
}

/** With the terminal. Ctrl-C is its own; what ends us ends it first. @returns its exit code */
export async function interactive(program: string, args: readonly string[], cwd = process.cwd()): Promise<number> {
  const child = spawn(program, args, { stdio: "inherit", cwd });
  const end = (): unknown => child.kill();
  const ending = ["SIGTERM", "SIGHUP"] as const;
  for (const signal of ending) process.on(signal, end);
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return code ?? 1;
  } finally {
    for (const signal of ending) process.off(signal, end);
  }
}
