/** The verbs of `coredump-detector`: which module has which, help, and the one place where errors become exit codes. */
import type { CommandModule } from "yargs";
import { NODE_OPTIONS } from "../../config/options.ts";
import { DumpError } from "../../domain/failures.ts";
import { report, verbosityIn } from "./failure.ts";
import { flagsOf } from "./flags.ts";
import { missingWord, orHelp, parserOf } from "./parser.ts";

const PROGRAM = "coredump-detector";

/** Each command has arguments of its own type, which only its own module knows. */
const verb =
  <Arguments>(load: () => Promise<{ readonly command: CommandModule<object, Arguments> }>) =>
  async () =>
    (await load()).command as CommandModule;

const role = (name: "agent" | "controller" | "webhook" | "apiserver" | "gc") =>
  verb(async () => ({ command: (await import("./roles.ts"))[name] }));

/** Loaded when called; all of them only where help or a suggestion needs their words. */
export const VERBS: Readonly<Record<string, () => Promise<CommandModule>>> = {
  list: verb(() => import("./list.ts")),
  info: verb(() => import("./info.ts")),
  dump: verb(() => import("./dump.ts")),
  verify: verb(() => import("./verify.ts")),
  delete: verb(() => import("./delete.ts")),
  crash: verb(() => import("./crash.ts")),
  replay: verb(() => import("./replay.ts")),
  install: verb(() => import("./install.ts")),
  uninstall: verb(() => import("./uninstall.ts")),
  doctor: verb(() => import("./doctor.ts")),
  controller: role("controller"),
  webhook: role("webhook"),
  apiserver: role("apiserver"),
  gc: role("gc"),
  agent: role("agent"),
  sweep: verb(() => import("./sweep.ts")),
  crds: verb(() => import("./crds.ts")),
  "crash-test": verb(() => import("./crash-test.ts")),
  retire: verb(() => import("./retire.ts")),
  "in-root": verb(() => import("./in-root.ts")),
};

/**
 * Runs what the command line says.
 * @param argv the words after the program's name
 * @returns the exit code; everything that failed has been said on stderr
 */
export async function runCli(argv: readonly string[]): Promise<number> {
  // A reader that went away shows at each write; as an event without a listener it would end the program.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  try {
    const parser = await parserFor(orHelp(argv));
    await parser.parseAsync();
    return 0;
  } catch (error) {
    return report(error, verbosityIn(argv));
  }
}

async function parserFor(argv: readonly string[]) {
  const named = Object.hasOwn(VERBS, argv[0] ?? "") ? VERBS[argv[0] ?? ""] : undefined;
  const commands = await Promise.all((named ? [named] : Object.values(VERBS)).map((load) => load()));
  const parser = parserOf(argv, PROGRAM, LISTS, (message) => usageError(argv, message, named && commands[0]))
    .usage("$0 <command>\n\nCore dumps of this node's containers and processes.")
    .options(flagsOf({ verbosity: NODE_OPTIONS.verbosity }));
  return parser.command(commands);
}

/** What may be given more than once. */
const LISTS: ReadonlySet<string> = new Set(["ids", "state"]);

/** yargs calls an unknown command an argument, or only says what may have been meant. */
function usageError(argv: readonly string[], message: string, command: CommandModule | undefined): DumpError {
  const [word = ""] = argv;
  const known = Object.hasOwn(VERBS, word);
  if (word === "" || word.startsWith("-") || known) {
    const help = [PROGRAM, ...(known ? [word] : []), "--help"].join(" ");
    const missing = missingWord(message, command);
    const what = missing === undefined ? message : `Cannot run ${word}: no ${missing} is given`;
    return new DumpError("USAGE", what, { hint: help });
  }
  return new DumpError("USAGE", `Cannot run ${JSON.stringify(word)}: there is no such command`, {
    hint: message.startsWith("Did you mean") ? message : `${PROGRAM} --help`,
  });
}
