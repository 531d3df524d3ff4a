import type { CommandModule } from "yargs";
import { WEBHOOK_OPTIONS } from "../../config/webhook-options.ts";
import { flagsOf, type Parsed } from "./flags.ts";
import { settingsGiven } from "./given.ts";

export const command: CommandModule<object, Parsed> = {
  command: "webhook",
  describe: "mount the volume into pods that name a claim; runs until stopped",
  builder: (yargs) => yargs.options(flagsOf(WEBHOOK_OPTIONS)),
  async handler(argv) {
    const stopping = new AbortController();
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort());
    const { runWebhook } = await import("../../roles/webhook/webhook.ts"); // in a script of its own
    await runWebhook(settingsGiven(argv, WEBHOOK_OPTIONS), stopping.signal);
  },
};
