/** `kubectl coredump info`: all that is known of one dump. */
import type { CommandModule } from "yargs";
import type { Parsed } from "../commands/flags.ts";
import { rendered } from "../output/document.ts";
import { quoted } from "../output/lines.ts";
import { print } from "../output/print.ts";
import { accessWords, session } from "./access.ts";
import { screen } from "./output/screen.ts";
import { theDump } from "./select.ts";

export const command: CommandModule<object, Parsed> = {
  command: "info <name>",
  describe: "show all that is known of one dump",
  builder: (yargs) =>
    yargs
      .positional("name", {
        type: "string",
        demandOption: true,
        describe: "name or id of the Coredump, or name of its pod (its newest dump)",
      })
      .option("output", {
        alias: "o",
        requiresArg: true,
        choices: ["json", "yaml"],
        describe: "the format (default: text)",
      }),
  async handler(argv) {
    const ours = await session(argv);
    const coredump = await theDump(ours, String(argv["name"]));
    await print(await rendered(coredump, argv["output"], () => screen(coredump, pasted(argv))));
  },
};

/** The next command must look into the same place; a token is not repeated. */
function pasted(argv: Parsed): string {
  const words = accessWords(argv).filter((word) => !word.startsWith("--token="));
  const namespace = argv["namespace"] === undefined ? [] : ["-n", String(argv["namespace"])];
  return [...namespace, ...words].map((word) => ` ${quoted(word)}`).join("");
}
