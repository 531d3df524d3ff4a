import type { CommandModule } from "yargs";
import { GC_OPTIONS } from "../../config/gc-options.ts";
import { print } from "../output/print.ts";
import { flagsOf, type Parsed } from "./flags.ts";
import { settingsGiven } from "./given.ts";

export const command: CommandModule<object, Parsed> = {
  command: "gc",
  describe: "remove bundles whose time has come; runs until stopped",
  builder: (yargs) => yargs.options(flagsOf(GC_OPTIONS)),
  async handler(argv) {
    const stopping = new AbortController();
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort());
    const settings = settingsGiven(argv, GC_OPTIONS);
    const { dryRun, runGc } = await import("../../roles/gc/gc.ts"); // in a script of its own
    if (!settings.dryRun) return await runGc(settings, stopping.signal);
    const { lines, alarm } = await dryRun(settings, stopping.signal);
    await print(lines.map((line) => `${line}\n`).join(""));
    if (alarm) throw alarm;
  },
};
