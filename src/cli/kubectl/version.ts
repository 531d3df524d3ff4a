/** `kubectl coredump version`. */
import type { CommandModule } from "yargs";
import type { Parsed } from "../commands/flags.ts";
import { version } from "../commands/version.ts";
import { print } from "../output/print.ts";

export const command: CommandModule<object, Parsed> = {
  command: "version",
  describe: "print this program's version",
  handler: async () => print(`${version()}\n`),
};
