/** What our command lines have in common, whatever the program is called. */
import yargs, { type Argv, type CommandModule } from "yargs";
import { exitCodes } from "./failure.ts";
import { version } from "./version.ts";

/** Words without a flag, and those after `--`, which yargs makes the former of. */
const YARGS_OWN: ReadonlySet<string> = new Set(["_", "--"]);

/**
 * A parser without commands yet. It never ends the process: faults are thrown.
 * @param lists  what may be given more than once; of anything else the last word counts, as in every shell script that appends
 *               its own flags. (yargs's own "duplicate-arguments-array" would take away all positional words but one.)
 * @param fault  makes an error of what is wrong with the words
 * @param codes  what the exit codes mean
 */
export function parserOf(
  argv: readonly string[],
  name: string,
  lists: ReadonlySet<string>,
  fault: (message: string) => Error,
  codes = exitCodes(),
): Argv {
  const lastCounts = (parsed: Record<string, unknown>): void => {
    for (const [word, value] of Object.entries(parsed))
      if (Array.isArray(value) && !lists.has(word) && !YARGS_OWN.has(word)) parsed[word] = value.at(-1);
  };
  return (
    yargs([...argv])
      .scriptName(name)
      // No number is meant anywhere: an id may look like one (1e5…), and so may a name.
      .parserConfiguration({
        "parse-numbers": false,
        "parse-positional-numbers": false,
        "dot-notation": false,
        "greedy-arrays": false,
      })
      .middleware(lastCounts, true)
      .locale("en")
      .strict()
      .recommendCommands()
      .demandCommand(1, "No command given")
      .version(version())
      .alias({ help: "h" })
      .epilogue(codes)
      .wrap(Math.min(process.stdout.columns ?? 100, 110))
      .exitProcess(false)
      .fail((message, error) => {
        // A command's own error comes without a message; everything else is yargs finding fault with the words.
        throw error && error.name !== "YError" ? error : fault(inOurWords(message ?? error?.message));
      })
  );
}

/** Without words there is nothing to do, and what can be done is the answer. */
export const orHelp = (argv: readonly string[]): readonly string[] => (argv.length === 0 ? ["--help"] : argv);

/** yargs' own messages, as far as they are for programmers. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^Not enough arguments following: -*(.*)$/, "Cannot use --$1 without a value"],
  [/^Invalid values:\s+Argument: (\S+), Given: (.*), Choices: (.*)$/, "Cannot use --$1=$2: it is one of $3"],
];

function inOurWords(message: string): string {
  const line = message.replace(/\s*\n\s*/g, " ");
  const [pattern = /^/, ours = ""] = WORDS.find(([each]) => each.test(line)) ?? [];
  return line.replace(pattern, ours);
}

const MISSING = /^(Not enough non-option arguments|Missing required argument)/;

/**
 * Which word a command lacks.
 * @param message  what was found wrong
 * @param command  the one that was meant
 * @returns as its usage calls it; undefined where no word is missing
 */
export function missingWord(message: string, command: CommandModule | undefined): string | undefined {
  if (!MISSING.test(message)) return undefined;
  const [, name = "name"] = /<(\w+)(?:\.\.)?>/.exec(String([command?.command].flat()[0])) ?? [];
  return name.replace(/s$/, "");
}
