import type { CommandModule } from "yargs";
import type { Parsed } from "../flags.ts";
import { print } from "../output/print.ts";
import { version } from "../version.ts";

export const command: CommandModule<object, Parsed> = {
  command: "version",
  describe: "print this program's version",
  handler: async () => print(`${version()}\n`),
};
