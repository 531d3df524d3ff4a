/** `list`: the dumps of this node. */
import type { CommandModule } from "yargs";
import { render } from "../output/list.ts";
import { print, say } from "../output/print.ts";
import { openedCache } from "./cache-access.ts";
import { CACHE_OPTIONS, flagsOf, type Parsed } from "./flags.ts";
import { SELECT_FLAGS, selected } from "./select.ts";

export const command: CommandModule<object, Parsed> = {
  command: ["list", "ls"],
  describe: "list the dumps of this node, the newest first",
  builder: {
    ...SELECT_FLAGS,
    output: { alias: "o", choices: ["table", "wide", "json", "yaml"], default: "table", describe: "the format" },
    ...flagsOf(CACHE_OPTIONS),
  },
  async handler(argv) {
    const now = new Date();
    const cache = await openedCache(argv);
    const all = cache.records();
    const records = selected(all, argv, now);
    if (records.length === 0)
      say(all.length === 0 ? `No dumps in ${cache.spool.dir}` : `None of ${all.length} dumps matches`);
    await print(await render(records, argv["output"] as string, now));
  },
};
