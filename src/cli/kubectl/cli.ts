/** `kubectl coredump`: the command line of the kubectl plugin. */
import type { CommandModule } from "yargs";
import { NODE_OPTIONS } from "../../config/options.ts";
import { DumpError, type FailureCode } from "../../domain/failures.ts";
import { exitCodes, report, verbosityIn } from "../commands/failure.ts";
import { flagsOf } from "../commands/flags.ts";
import { missingWord, orHelp, parserOf } from "../commands/parser.ts";
import { ACCESS_FLAGS } from "./access.ts";
import { command as check } from "./check.ts";
import { command as completion } from "./completion.ts";
import { command as debug } from "./debug.ts";
import { command as remove } from "./delete.ts";
import { command as dump } from "./dump.ts";
import { COMMANDS as ENDPOINT_COMMANDS, command as endpoint } from "./endpoint.ts";
import { command as info } from "./info.ts";
import { command as list } from "./list.ts";
import { command as verify } from "./verify.ts";
import { command as version } from "./version.ts";

const PROGRAM = "kubectl coredump";
export const COMMANDS = [
  list,
  info,
  dump,
  verify,
  debug,
  remove,
  endpoint,
  check,
  completion,
  version,
] as CommandModule[];
/** What can go wrong here; the rest of the catalogue is the node's and the roles'. */
export const FAILURES_HERE: readonly FailureCode[] = [
  ...(["UNEXPECTED", "USAGE", "SETTINGS_INVALID", "INTERRUPTED", "OUTPUT_CLOSED", "OUTPUT_UNWRITABLE"] as const),
  ...(["DUMP_NOT_FOUND", "DUMP_AMBIGUOUS", "DUMP_NOT_HELD", "DUMP_NOT_READY", "DUMP_RESTRICTED"] as const),
  ...([
    "DUMP_INCOMPLETE",
    "DUMP_CORRUPT",
    "CORE_UNREADABLE",
    "STORE_CORRUPT",
    "TOOL_MISSING",
    "NOT_PERMITTED",
  ] as const),
  "CLUSTER_UNHEALTHY",
  ...([
    "API_UNAVAILABLE",
    "API_DENIED",
    "API_CONFLICT",
    "API_GONE",
    "API_INVALID",
    "API_KIND_MISSING",
    "NOT_FOUND",
  ] as const),
];
/** What may be given more than once. */
const LISTS: ReadonlySet<string> = new Set(["names", "as-group"]);

/**
 * Runs what the command line says.
 * @param argv the words after `kubectl coredump`
 * @returns the exit code; everything that failed has been said on stderr
 */
export async function runPlugin(argv: readonly string[]): Promise<number> {
  // A reader that went away shows at each write; as an event without a listener it would end the program.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  try {
    // `endpoint` alone is not a command either.
    const words =
      commandIn(argv).command === endpoint && argv.at(-1) === "endpoint" ? [...argv, "--help"] : orHelp(argv);
    await pluginParser(words).parseAsync();
    return 0;
  } catch (error) {
    return report(error, verbosityIn(argv));
  }
}

const pluginParser = (argv: readonly string[]) =>
  parserOf(argv, PROGRAM, LISTS, (message) => usageError(argv, message), exitCodes(FAILURES_HERE))
    .usage("$0 <command>\n\nCore dumps of your namespaces' containers, by the Kubernetes API.")
    .options({ ...ACCESS_FLAGS, ...flagsOf({ verbosity: NODE_OPTIONS.verbosity }) })
    .group(Object.keys(ACCESS_FLAGS), "As kubectl's own:")
    .command(COMMANDS);

/** @param message  as parserOf() gives it: one line */
function usageError(argv: readonly string[], message: string): DumpError {
  const { path, command } = commandIn(argv);
  const help = [PROGRAM, ...path, "--help"].join(" ");
  const missing = missingWord(message, command);
  if (missing === undefined && command === undefined) return unknownCommand(message, help);
  if (missing === undefined) return new DumpError("USAGE", message, { hint: help });
  const usage = [PROGRAM, ...path.slice(0, -1), [command?.command].flat()[0]].join(" ");
  const list = path[0] === "endpoint" ? "endpoint list" : "list";
  const hint = missing === "name" ? `${usage}; ${PROGRAM} ${list} shows what there is` : usage;
  return new DumpError("USAGE", `Cannot run ${path.join(" ")}: no ${missing} is given`, { hint });
}

/** yargs calls an unknown command an argument, or only says what may have been meant. */
function unknownCommand(message: string, help: string): DumpError {
  const [, word] = /^Unknown argument: (\S+)$/.exec(message) ?? [];
  if (message.startsWith("Did you mean"))
    return new DumpError("USAGE", "Cannot run this: there is no such command", { hint: message });
  const what = word === undefined ? message : `Cannot run ${JSON.stringify(word)}: there is no such command`;
  return new DumpError("USAGE", what, { hint: help });
}

/** The command that the words name, and how it is called. */
function commandIn(argv: readonly string[]): { readonly path: readonly string[]; readonly command?: CommandModule } {
  const at = argv.findIndex((word) => named(COMMANDS, word) !== undefined);
  const top = named(COMMANDS, argv[at] ?? "");
  if (!top) return { path: [] };
  const sub = top === endpoint ? named(ENDPOINT_COMMANDS, argv[at + 1] ?? "") : undefined;
  const path = [top, ...(sub ? [sub] : [])].map((command) => namesOf(command)[0] ?? "");
  return { path, command: sub ?? top };
}

/** `list`, `ls`; the first is the proper one. */
export const namesOf = ({ command }: CommandModule): string[] =>
  [command ?? []].flat().map((each) => String(each).split(" ")[0] ?? "");

export const named = (commands: readonly CommandModule[], name: string): CommandModule | undefined =>
  commands.find((command) => namesOf(command).includes(name));
