/** The handler's settings file: where it is, and what it says. */
import { lstatSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { reasonOf } from "../domain/failures.ts";
import { CAPTURE_OPTIONS, type HandlerSettings, NODE_OPTIONS, type Option } from "./options.ts";
import { valuesOf } from "./values.ts";

/** Where `install` and the agent write the handler's settings: beside the binary. */
export const settingsPath = (executable: string): string => join(dirname(executable), "settings.json");

/**
 * The handler's settings: flags, then settings.json, then defaults. Whatever is wrong with the file means defaults and
 * a warning, never a lost core. It must be root's (or our own uid's, for trials) and not writable by others: who writes
 * it chooses where memory goes.
 */
export function loadSettings(
  path: string,
  flags: ReadonlyMap<string, string>,
  complain: (problem: string) => void,
): HandlerSettings {
  const file = readSettingsFile(path, complain);
  const found = (option: Option) => [flags.get(option.flag), file.get(option.flag)];
  return { ...valuesOf(NODE_OPTIONS, found, complain), ...valuesOf(CAPTURE_OPTIONS, found, complain) };
}

/** There are some forty settings. */
const MOST_BYTES = 64 << 10;

function readSettingsFile(path: string, complain: (problem: string) => void): ReadonlyMap<string, string> {
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (!stat) return new Map();
    if (!stat.isFile() || (stat.uid !== 0 && stat.uid !== process.getuid?.()) || (stat.mode & 0o022) !== 0) {
      complain(`${path} ignored: it must be a file of root's that no other can write`);
      return new Map();
    }
    if (stat.size > MOST_BYTES) throw new Error(`longer than ${MOST_BYTES} bytes`);
    const json: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof json !== "object" || json === null || Array.isArray(json)) throw new Error("not an object");
    return new Map(Object.entries(json).flatMap(([flag, value]) => entry(flag, value, complain)));
  } catch (error) {
    complain(`${path} ignored: ${reasonOf(error)}`);
    return new Map();
  }
}

const IN_FILE: ReadonlySet<string> = new Set(
  Object.values<Option>({ ...NODE_OPTIONS, ...CAPTURE_OPTIONS })
    .filter((option) => option.settings)
    .map((option) => option.flag),
);

function entry(flag: string, value: unknown, complain: (problem: string) => void): [string, string][] {
  if (IN_FILE.has(flag) && ["string", "number", "boolean"].includes(typeof value)) return [[flag, String(value)]];
  complain(`settings.json: ${JSON.stringify(flag.slice(0, 80))} ignored`);
  return [];
}
