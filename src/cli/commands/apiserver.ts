import type { CommandModule } from "yargs";
import { APISERVER_FLAGS } from "../../config/apiserver-options.ts";
import { flagsOf, type Parsed } from "./flags.ts";
import { settingsGiven } from "./given.ts";

export const command: CommandModule<object, Parsed> = {
  command: "apiserver",
  describe: "serve coredumpendpoints and the bytes of dumps through the cluster's API; runs until stopped",
  builder: (yargs) => yargs.options(flagsOf(APISERVER_FLAGS)),
  async handler(argv) {
    const stopping = new AbortController();
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort());
    const { runApiserver } = await import("../../roles/apiserver/apiserver.ts"); // in a script of its own
    await runApiserver(settingsGiven(argv, APISERVER_FLAGS), stopping.signal);
  },
};
