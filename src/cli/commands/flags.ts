/** Flags of yargs from declared options, and settings from what yargs has read. */
import type { Options } from "yargs";
import { type HandlerSettings, NODE_OPTIONS, type Option } from "../../config/options.ts";
import { loadSettings, settingsPath } from "../../config/settings.ts";
import { expected, parseValue } from "../../config/values.ts";
import { DumpError } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import { say } from "../output/print.ts";

/** What every command over the cache takes. */
export const CACHE_OPTIONS = { dumpDir: NODE_OPTIONS.dumpDir };

/** What yargs hands to a command: flags by their long name. */
export type Parsed = Readonly<Record<string, unknown>>;

/**
 * Declared options as yargs wants them. yargs checks spelling and choices only: values are parsed where all are, and
 * defaults only described, because settings.json stands between a flag and its default.
 */
export function flagsOf(options: Readonly<Record<string, Option>>): Record<string, Options> {
  return Object.fromEntries(Object.values(options).map((option) => [option.flag, flagOf(option)]));
}

function flagOf({ flag, short, kind, default: byDefault, describe }: Option): Options {
  return {
    describe,
    ...(short && short !== flag && { alias: short }),
    ...(kind === "switch" ? { type: "boolean" } : { type: "string", requiresArg: true }),
    ...(typeof kind !== "string" && { choices: kind }),
    ...(byDefault !== undefined && { defaultDescription: byDefault }),
  };
}

/**
 * Flags, then the installed settings.json, then defaults: so that a command looks where the handler writes.
 * @throws DumpError USAGE for a flag's bad value; a bad settings.json is a warning only, as it is for the handler
 */
export function settingsOf(
  argv: Parsed,
  options: Readonly<Record<string, Option>> = { ...CACHE_OPTIONS, verbosity: NODE_OPTIONS.verbosity },
): HandlerSettings {
  const given = new Map<string, string>();
  for (const option of Object.values(options)) {
    const value = argv[option.flag];
    if (value === undefined) continue;
    if (parseValue(option, String(value)) === undefined) {
      throw new DumpError("USAGE", `Cannot use --${option.flag}=${printable(String(value))}: not ${expected(option)}`);
    }
    given.set(option.flag, String(value));
  }
  return loadSettings(settingsPath(process.execPath), given, (problem) => say(`warning: ${printable(problem)}`));
}
