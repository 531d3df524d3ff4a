/** A crash for people: its title, then the stack, one frame a line. */
import { basename } from "node:path";
import type { Crash, CrashFrame } from "../../domain/crash.ts";
import { printable } from "../../domain/text.ts";

export function crashScreen(crash: Crash, allThreads: boolean): string {
  const threads = allThreads ? crash.threads.filter(({ crashed }) => !crashed) : [];
  return [
    crash.title,
    ...(crash.fingerprint ? [`fingerprint ${crash.fingerprint}`] : []),
    ...(crash.runtime ? [`run-time ${crash.runtime.name} ${crash.runtime.version ?? ""}`.trimEnd()] : []),
    ...(crash.problem ? [`problem: ${crash.problem}`] : []),
    "",
    ...stackLines(crash),
    ...threads.flatMap(({ tid, name, stack }) => [
      "",
      `thread ${tid}${name ? ` ${name}` : ""}`,
      ...drawn(stack, crash),
    ]),
    "",
  ].join("\n");
}

/** What it was, its group, and what is missing. */
export const crashLines = ({ title, fingerprint, problem }: Crash): string[] =>
  [title, ...(fingerprint ? [`group ${fingerprint}`] : []), ...(problem ? [`problem: ${problem}`] : [])].map(printable);

/** A line a frame. */
export const stackLines = (crash: Crash): string[] => [
  ...drawn(crash.stack, crash),
  ...(crash.deeper ? ["  … deeper than this"] : []),
];

const drawn = (stack: readonly CrashFrame[], crash: Crash): string[] => stack.map((frame, i) => line(frame, i, crash));

/** What is less sure than a table of the compiler's says so. */
const DOUBTS: Partial<Record<CrashFrame["trust"], string>> = {
  scan: "found by looking through the stack",
  fp: "by frame pointer",
};

function line(frame: CrashFrame, index: number, { modules }: Crash): string {
  const module = frame.module === null ? undefined : modules[frame.module];
  const doubt = DOUBTS[frame.trust];
  return printable(
    [
      `  #${String(index).padEnd(3)}`,
      nameOf(frame),
      ...(frame.file === null ? [] : [`at ${frame.file}${frame.line === null ? "" : `:${frame.line}`}`]),
      ...(module ? [`(${basename(module.path)})`] : []),
      ...(frame.inlined ? ["[inlined]"] : []),
      ...(doubt ? [`[${doubt}]`] : []),
    ].join(" "),
  );
}

function nameOf(frame: CrashFrame): string {
  if (frame.kind === "signal") return "<signal handler called>";
  if (frame.function !== null)
    return frame.functionOffset === null ? frame.function : `${frame.function}+0x${frame.functionOffset.toString(16)}`;
  if (frame.kind === "jit") return `<generated code> ${frame.pc}`;
  return frame.offset === null ? frame.pc : `+0x${frame.offset.toString(16)}`;
}
