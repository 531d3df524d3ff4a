/** Flags that select dumps of the node: by time, owner, program. */
import type { Options } from "yargs";
import type { DumpRecord } from "../../domain/dump.ts";
import { DumpError } from "../../domain/failures.ts";
import { STATES } from "../../domain/states.ts";
import { parseDurationMs } from "../../domain/units.ts";
import type { Parsed } from "./flags.ts";

export const textFlag = (describe: string, alias?: string): Options => ({
  type: "string",
  requiresArg: true,
  describe,
  ...(alias && { alias }),
});

/** Filters of `list` and of `delete --all`. */
export const SELECT_FLAGS = {
  namespace: textFlag("of pods in this namespace (* matches anything)", "n"),
  pod: textFlag("of this pod (* matches anything)"),
  container: textFlag("of this container: name (* matches anything) or the beginning of its id"),
  executable: textFlag("of this executable (* matches anything)", "x"),
  since: textFlag("captured within this time: 90s, 15m, 2d"),
  state: { ...textFlag("in this state; may be given more than once"), array: true, choices: STATES },
} satisfies Record<string, Options>;

export const isSelection = (argv: Parsed): boolean =>
  Object.keys(SELECT_FLAGS).some((flag) => argv[flag] !== undefined);

/** The records that pass every filter given, in their order. */
export function selected(records: readonly DumpRecord[], argv: Parsed, now: Date): DumpRecord[] {
  const [namespace, pod, executable] = [argv["namespace"], argv["pod"], argv["executable"]].map(pattern);
  const [container, states, since] = [pattern(argv["container"]), argv["state"], notBefore(argv["since"], now)];
  return records.filter(
    (record) =>
      (!namespace || namespace(record.pod?.namespace)) &&
      (!pod || pod(record.pod?.name)) &&
      (!container || container(record.container?.name) || idStartsWith(record, String(argv["container"]))) &&
      (!executable || executable(record.executable)) &&
      (!Array.isArray(states) || states.includes(record.state)) &&
      (since === undefined || Date.parse(record.dumptime) >= since),
  );
}

/** A name to be met exactly, but that `*` stands for anything. */
export function pattern(value: unknown): ((name: string | null | undefined) => boolean) | undefined {
  if (value === undefined) return undefined;
  const expression = new RegExp(`^${String(value).split("*").map(RegExp.escape).join(".*")}$`, "su");
  return (name) => typeof name === "string" && expression.test(name);
}

/** A few digits only would match by chance. */
const idStartsWith = ({ container }: DumpRecord, digits: string): boolean =>
  digits.length >= 6 && (container?.id.startsWith(digits) ?? false);

/** Milliseconds since the epoch; undefined where no `--since` is given. @throws DumpError USAGE */
export function notBefore(since: unknown, now: Date): number | undefined {
  if (since === undefined) return undefined;
  const ms = parseDurationMs(String(since));
  if (ms === undefined) throw new DumpError("USAGE", `Cannot use --since=${since}: not a duration such as 15m or 2d`);
  return now.getTime() - ms;
}
