/** The kernel's call: what core_pattern's template became. */
import {
  CAPTURE_OPTIONS,
  KERNEL_OPTIONS,
  type KernelArguments,
  NODE_OPTIONS,
  type Option,
} from "../../config/options.ts";
import { valuesOf } from "../../config/values.ts";

/** A call of the kernel: what core_pattern's template became. */
export interface KernelCall {
  readonly call: KernelArguments & { readonly hostPid: number };
  /** Options of ours that stood in the pattern as well (`-c=… -d=… --capture=…`), by long name. */
  readonly flags: ReadonlyMap<string, string>;
  readonly problems: readonly string[];
}

const PID = /^(?:-P|--hostPid)=/;

/** Whether these arguments are the kernel's. Decided before any CLI parser is loaded. */
export const isKernelCall = (argv: readonly string[]): boolean => argv.some((argument) => PID.test(argument));

/**
 * Reads the arguments. Nothing in them may cost a core: an empty one (a lone specifier that expands to nothing), an
 * unknown one, a bad value is a problem to report, no more. Only a missing pid leaves nothing to go on: undefined.
 */
export function parseKernelCall(argv: readonly string[]): KernelCall | undefined {
  const problems: string[] = [];
  const found = new Map<string, string>();
  for (const argument of namesJoined(argv)) {
    const match = /^--?([A-Za-z][\w-]*)=(.*)$/s.exec(argument);
    const option = match?.[1] === undefined ? undefined : OPTIONS_BY_NAME.get(match[1]);
    if (option && !found.has(option.flag)) found.set(option.flag, unquoted(option, match?.[2] ?? ""));
    else if (argument !== "") problems.push(`argument ignored: ${JSON.stringify(argument.slice(0, 80))}`);
  }
  const call = valuesOf(
    KERNEL_OPTIONS,
    (option) => found.get(option.flag),
    (problem) => problems.push(problem),
  );
  return call.hostPid === undefined ? undefined : { call: { ...call, hostPid: call.hostPid }, flags: found, problems };
}

const NAME = /^(?:-e|--filename)=/;
const TIME = /^(?:-t|--time)=/;

/**
 * Kernels before 5.3 split the pattern at white space after the name was put in, so a thread called `x -d=y` is two of our
 * arguments. Where the name comes last, as in our pattern, all of the rest is the name. In the patterns of earlier versions
 * and of the predecessor `-t=%t` follows it: what is before the last one is the name, for a name cannot come after it; a
 * pattern that gives the pid later still is read from there on.
 */
function namesJoined(argv: readonly string[]): readonly string[] {
  const at = argv.findIndex((argument) => NAME.test(argument));
  if (at < 0) return argv;
  const before = argv.slice(0, at);
  const goesOn = [TIME, PID]
    .filter((option) => !before.some((argument) => option.test(argument)))
    .map((option) => argv.findLastIndex((argument, index) => index > at && option.test(argument)))
    .filter((index) => index >= 0);
  const end = goesOn.length === 0 ? argv.length : Math.min(...goesOn);
  return [...before, argv.slice(at, end).join(" "), ...argv.slice(end)];
}

/** `-P="%P"` passes literal quotes: the kernel knows none. A comm may have some of its own. */
const unquoted = (option: Option, text: string): string =>
  option === KERNEL_OPTIONS.threadName ? text : text.replace(/^(["'])(.*)\1$/s, "$2");

const OPTIONS_BY_NAME: ReadonlyMap<string, Option> = new Map(
  Object.values<Option>({ ...KERNEL_OPTIONS, ...NODE_OPTIONS, ...CAPTURE_OPTIONS }).flatMap((option) => [
    [option.flag, option] as const,
    ...(option.short ? [[option.short, option] as const] : []),
  ]),
);
