/** `in-root`, not for people: how an agent in a pod starts the handler in the host's root, as the kernel would. */
import type { CommandModule } from "yargs";
import { DumpError, reasonOf } from "../../domain/failures.ts";
import { IN_ROOT } from "../../node/install/host.ts";
import { enterRoot } from "../../system/ffi.ts";
import type { Parsed } from "./flags.ts";

export const command: CommandModule<object, Parsed> = {
  command: `${IN_ROOT} <root> [words..]`, // words: after `--`, since some of them are another program's flags
  describe: false,
  handler(argv) {
    const [, program = "", ...words] = argv["_"] as string[];
    enterRoot(String(argv["root"]));
    try {
      process.execve?.(program, [program, ...words], {});
    } catch (error) {
      throw new DumpError("UNEXPECTED", `Cannot run ${program}: ${reasonOf(error)}`, { cause: error });
    }
  },
};
