import type { CommandModule } from "yargs";
import { CONTROLLER_OPTIONS } from "../../config/cluster-options.ts";
import { runController } from "../../roles/controller/controller.ts";
import { flagsOf, type Parsed } from "./flags.ts";
import { settingsGiven } from "./given.ts";

export const command: CommandModule<object, Parsed> = {
  command: "controller",
  describe: "allow and deny dumps by the quotas; runs until stopped",
  builder: (yargs) => yargs.options(flagsOf(CONTROLLER_OPTIONS)),
  async handler(argv) {
    const stopping = new AbortController();
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort());
    await runController(settingsGiven(argv, CONTROLLER_OPTIONS), stopping.signal);
  },
};
