/** `settings.json` beside the binary: what the handler reads at each crash. Written here, read by config/settings.ts. */
import { CAPTURE_OPTIONS, NODE_OPTIONS, type Option } from "../../config/options.ts";
import { expected, parseValue } from "../../config/values.ts";
import { DumpError, errnoOf, ifPossible, reasonOf } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import { readSmall } from "../../system/small-file.ts";
import { readTrusted } from "../../system/trusted-file.ts";
import { putText } from "./put.ts";

/** The options that may stand in the file. */
export const SETTABLE: Readonly<Record<string, Option>> = Object.fromEntries(
  Object.entries<Option>({ ...NODE_OPTIONS, ...CAPTURE_OPTIONS }).filter(([, option]) => option.settings),
);

type SettingsJson = Record<string, string | number | boolean>;

/**
 * What was given on the command line, by flag, as it goes into the file; null takes a setting away (`--cache-size=`).
 * @throws DumpError USAGE on a bad value
 */
export function settingsForFile(
  argv: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, SettingsJson[string] | null> {
  const given = new Map<string, SettingsJson[string] | null>();
  for (const option of Object.values(SETTABLE)) {
    const value = argv[option.flag];
    if (value === undefined) continue;
    const text = String(value);
    if (text !== "" && parseValue(option, text) === undefined) refuse(option, text, expected(option));
    if (text !== "" && PATHS.has(option) && !/^\/[^\0-\x1f]*$/.test(text)) refuse(option, text, "an absolute path");
    given.set(option.flag, text === "" ? null : json(option, text));
  }
  return given;
}

/** The handler's working directory is `/`, so a relative path would mean another place there than here. */
const PATHS: ReadonlySet<Option> = new Set([NODE_OPTIONS.dumpDir, NODE_OPTIONS.logDir, NODE_OPTIONS.kubeconfig]);

function refuse({ flag }: Option, text: string, expected: string): never {
  throw new DumpError("USAGE", `Cannot use --${flag}=${text}: not ${expected}`);
}

const json = (option: Option, text: string): SettingsJson[string] =>
  option.kind === "integer" ? Number(text) : option.kind === "switch" ? text === "true" : text;

/**
 * Adds to what the file says, or, with `whole`, makes it say this and nothing else: what an agent's release says no more goes
 * back to its default, and what was set by hand beside it goes, too, rather than being mixed in without a word.
 * @returns the settings that are new or other than before, as `flag=value`; those that were not given, as they were
 * @throws DumpError SETTINGS_INVALID when the file is there and cannot be understood, unless it is replaced whole
 */
export function mergeSettings(
  path: string,
  given: ReadonlyMap<string, SettingsJson[string] | null>,
  whole = false,
): { readonly changed: readonly string[]; readonly takenAway: readonly string[] } {
  if (given.size === 0 && !whole) return { changed: [], takenAway: [] };
  const before = read(path, whole);
  const after = whole ? {} : { ...before };
  for (const [flag, value] of given) {
    if (value === null) delete after[flag];
    else after[flag] = value;
  }
  const changed = [...given]
    .filter(([flag, value]) => (before[flag] ?? null) !== value)
    .map(([flag, value]) => (value === null ? `${flag} unset` : `${flag}=${value}`));
  const takenAway = Object.entries(before)
    .filter(([flag]) => !(flag in after) && !given.has(flag))
    .map(([flag, value]) => printable(`${flag}=${typeof value === "object" ? "…" : value}`.slice(0, SHOWN)));
  if (!whole || changed.length + takenAway.length > 0) putText(path, `${JSON.stringify(after, null, 2)}\n`);
  return { changed, takenAway };
}

const SHOWN = 200;

/** Whether a settings.json is ours: an object, root's own, in which a setting of ours stands or nothing. */
export const isSettings = (path: string): boolean =>
  ifPossible(() => areOurs(JSON.parse(readTrusted(path) ?? "null"))) ?? false;

const FLAGS: ReadonlySet<string> = new Set(Object.values(SETTABLE).map(({ flag }) => flag));

/** Settings of a later version of ours may stand beside. */
const areOurs = (json: unknown): json is SettingsJson =>
  isObject(json) && (Object.keys(json).length === 0 || Object.keys(json).some((flag) => FLAGS.has(flag)));

const isObject = (json: unknown): json is SettingsJson =>
  typeof json === "object" && json !== null && !Array.isArray(json);

/** @param anyway  what cannot be understood is as nothing */
function read(path: string, anyway: boolean): SettingsJson {
  try {
    const settings: unknown = JSON.parse(readSmall(path).toString("utf8"));
    if (areOurs(settings) || (anyway && isObject(settings))) return settings;
    throw new Error("they are not settings of this program");
  } catch (error) {
    if (anyway || errnoOf(error) === "ENOENT") return {};
    const hint = "Repair it or remove it; the handler uses its defaults meanwhile";
    throw new DumpError("SETTINGS_INVALID", `Cannot change ${path}: ${reasonOf(error)}`, { cause: error, hint });
  }
}
