/** Settings of a role from flags and environment. */
import type { Option, Values } from "../../config/options.ts";
import { expected, parseValue, valuesOf } from "../../config/values.ts";
import { DumpError } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import type { Parsed } from "./flags.ts";

/**
 * The settings of a long-running role: flags, then the environment's declared names, then defaults.
 * @throws DumpError USAGE: a role that got nonsense must not start and do something else
 */
export const settingsGiven = <T extends Record<string, Option>>(argv: Parsed, options: T): Values<T> =>
  valuesOf(
    options,
    (option) => given(argv, option),
    () => undefined,
  );

function given(argv: Parsed, option: Option): string | undefined {
  const flag = argv[option.flag];
  const value = flag ?? (option.env === undefined ? undefined : process.env[option.env] || undefined);
  if (value === undefined) return undefined;
  const text = String(value);
  if (parseValue(option, text) !== undefined) return text;
  const name = flag === undefined ? option.env : `--${option.flag}`;
  throw new DumpError("USAGE", `Cannot use ${name}=${printable(text)}: not ${expected(option)}`);
}
