/** `kubectl coredump`: the command line of the kubectl plugin. */
import type { CommandModule } from "yargs";
import { NODE_OPTIONS } from "../../config/options.ts";
import { DumpError } from "../../domain/failures.ts";
import { report, verbosityIn } from "../failure.ts";
import { flagsOf } from "../flags.ts";
import { parserOf } from "../parser.ts";
import { ACCESS_FLAGS } from "./access.ts";
import { command as completion } from "./completion.ts";
import { command as debug } from "./debug.ts";
import { command as remove } from "./delete.ts";
import { command as dump } from "./dump.ts";
import { command as endpoint } from "./endpoint.ts";
import { command as info } from "./info.ts";
import { command as list } from "./list.ts";
import { command as verify } from "./verify.ts";

const PROGRAM = "kubectl coredump";
export const COMMANDS = [list, info, dump, verify, debug, remove, endpoint, completion] as CommandModule[];
/** What may be given more than once. */
const LISTS: ReadonlySet<string> = new Set(["names", "as-group"]);

/**
 * Runs what the command line says.
 * @param argv the words behind `kubectl coredump`
 * @returns the exit code; everything that failed has been said on stderr
 */
export async function runPlugin(argv: readonly string[]): Promise<number> {
  // A reader that went away is told by each write; as an event without a listener it would end the program.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  try {
    await pluginParser(argv).parseAsync();
    return 0;
  } catch (error) {
    return report(error, verbosityIn(argv));
  }
}

const pluginParser = (argv: readonly string[]) =>
  parserOf(argv, PROGRAM, LISTS, (message) => usageError(argv, message))
    .usage("$0 <command>\n\nCore dumps of your namespaces' containers, by the Kubernetes API.")
    .options({ ...ACCESS_FLAGS, ...flagsOf({ verbosity: NODE_OPTIONS.verbosity }) })
    .group(Object.keys(ACCESS_FLAGS), "As kubectl's own:")
    .command(COMMANDS);

const usageError = (argv: readonly string[], message: string): DumpError => {
  const word = argv.find((each) => COMMANDS.some(({ command }) => [command].flat()[0]?.split(" ")[0] === each));
  const hint = [PROGRAM, ...(word === undefined ? [] : [word]), "--help"].join(" ");
  return new DumpError("USAGE", message.replace(/\s*\n\s*/g, " "), { hint });
};
