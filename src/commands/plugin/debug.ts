import type { CommandModule } from "yargs";
import type { Parsed } from "../flags.ts";

export const command: CommandModule<object, Parsed> = {
  command: "debug <name>",
  describe: "open a core in gdb, with the files of the image that crashed",
  handler: () => undefined,
};
