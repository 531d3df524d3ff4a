/** The one place where errors become words on stderr and exit codes. */
import { DumpError, errnoOf, FAILURES, type FailureCode, reasonOf } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import { say } from "../output/print.ts";

/** Shows stack traces from this verbosity on: only a developer wants them. */
const STACKS = 10;

/** Says what failed and what to do about it. @returns the exit code */
export function report(error: unknown, verbosity: number): number {
  const failure = asFailure(error);
  const { exitCode } = FAILURES[failure.code];
  if (failure.code === "OUTPUT_CLOSED") return exitCode; // the reader has what it wanted
  say(`error: ${printable(failure.message)}`);
  if (failure.hint !== undefined) say(`hint: ${printable(failure.hint)}`);
  if (verbosity >= STACKS && error instanceof Error) say(error.stack ?? "");
  return exitCode;
}

/** A refused system call is nearly always a matter of not being root. */
function asFailure(error: unknown): DumpError<FailureCode> {
  if (error instanceof DumpError) return error;
  const errno = errnoOf(error);
  if (errno === "EACCES" || errno === "EPERM") {
    const { syscall = "go on", path } = error as NodeJS.ErrnoException;
    const what = path === undefined ? syscall : `${syscall} ${path}`;
    return new DumpError("NOT_PERMITTED", `Cannot ${what}: permission denied`, {
      cause: error,
      hint: "Run it as root",
    });
  }
  return new DumpError("UNEXPECTED", reasonOf(error), { cause: error });
}

/**
 * The table of `--help`, generated from the catalogue: ` 66  dump not found, dump ambiguous, …`.
 * @param of  what can go wrong in this program
 */
export function exitCodes(of = Object.keys(FAILURES) as readonly FailureCode[]): string {
  const byCode = Map.groupBy(of, (code) => FAILURES[code].exitCode);
  const rows = [...byCode]
    .sort(([a], [b]) => a - b)
    .map(([exitCode, codes]) => [exitCode, codes.map(words).join(", ")]);
  return ["Exit codes:", ...[[0, "done"], ...rows].map(([code, what]) => `  ${padStart(code)}  ${what}`)].join("\n");
}

const padStart = (code: unknown): string => String(code).padStart(3);
const words = (code: FailureCode): string => code.toLowerCase().replaceAll("_", " ");

/** `--v=10` counts also where the words are at fault. */
export const verbosityIn = (argv: readonly string[]): number =>
  Number(argv.findLast((word) => /^--?v=\d+$/.test(word))?.replace(/^--?v=/, "") ?? 0);
