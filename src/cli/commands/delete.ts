/** `delete`: drops cores of this node; their records stay. */
import type { CommandModule } from "yargs";
import { DumpError } from "../../domain/failures.ts";
import { confirmed } from "./ask.ts";
import { found, openedCache } from "./cache-access.ts";
import { CACHE_OPTIONS, flagsOf, type Parsed } from "./flags.ts";
import { remove } from "./remove.ts";
import { isSelection, SELECT_FLAGS, selected } from "./select.ts";

export const command: CommandModule<object, Parsed> = {
  command: ["delete [ids..]", "rm"],
  describe: "delete cores from this node; their records stay, as Deleted",
  builder: (yargs) =>
    yargs
      .positional("ids", { type: "string", array: true, default: [], describe: "ids, short ids, or their beginnings" })
      .option("all", { alias: "a", type: "boolean", default: false, describe: "all dumps, or all that these select:" })
      .options(SELECT_FLAGS)
      .option("yes", { alias: "y", type: "boolean", default: false, describe: "do not ask before deleting with --all" })
      .option("purge", { type: "boolean", default: false, describe: "remove their records, too" })
      .options(flagsOf(CACHE_OPTIONS)),
  async handler(argv) {
    const [ids, all, purge] = [argv["ids"] as string[], argv["all"] === true, argv["purge"] === true];
    if (all ? ids.length > 0 : ids.length === 0)
      throw new DumpError("USAGE", "Cannot tell which: name ids, or give --all");
    if (!all && isSelection(argv)) throw new DumpError("USAGE", "Cannot filter ids: --all goes with filters");
    const cache = await openedCache(argv);
    const records = all ? selected(cache.records(), argv, new Date()) : found(cache, ids);
    if (all && argv["yes"] !== true && !(await confirmed(records.length, purge ? "and their records" : ""))) return;
    remove(cache, records, purge);
  },
};
