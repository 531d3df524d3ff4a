/** `dump`: copies a core out of the cache. */
import type { CommandModule } from "yargs";
import { openedCache } from "./cache-access.ts";
import { extract } from "./extract.ts";
import { CACHE_OPTIONS, flagsOf, type Parsed } from "./flags.ts";

export const command: CommandModule<object, Parsed> = {
  command: "dump <id> [file]",
  describe: "copy a core out of the cache, and check it",
  builder: (yargs) =>
    yargs
      .positional("id", { type: "string", demandOption: true, describe: "id, short id, or its beginning" })
      .positional("file", { type: "string", describe: "file or directory; - or a redirected stdout: write to stdout" })
      .option("force", { alias: "f", type: "boolean", default: false, describe: "replace an existing file" })
      .options(flagsOf(CACHE_OPTIONS)),
  async handler(argv) {
    const cache = await openedCache(argv);
    const record = await cache.finished(cache.find(String(argv["id"])));
    await extract(record, cache.corePath(record), {
      file: argv["file"] === "" ? "-" : (argv["file"] as string | undefined), // yargs leaves nothing of a lone `-`
      force: argv["force"] === true,
    });
  },
};
