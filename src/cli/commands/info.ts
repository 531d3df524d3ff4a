/** `info`: all that is known of one dump of this node. */
import type { CommandModule } from "yargs";
import type { DumpRecord } from "../../domain/dump.ts";
import { textOf } from "../../domain/text.ts";
import type { Cache } from "../../node/cache/cache.ts";
import { readUpTo } from "../../system/proc.ts";
import { rendered } from "../output/document.ts";
import { quoted } from "../output/lines.ts";
import { print } from "../output/print.ts";
import { screen } from "../output/screen.ts";
import { openedCache } from "./cache-access.ts";
import { CACHE_OPTIONS, flagsOf, type Parsed } from "./flags.ts";

export const command: CommandModule<object, Parsed> = {
  command: "info <id>",
  describe: "show all that is known of one dump",
  builder: (yargs) =>
    yargs
      .positional("id", { type: "string", demandOption: true, describe: "id, short id, or its beginning" })
      .option("output", { alias: "o", choices: ["table", "json", "yaml"], default: "table", describe: "the format" })
      .options(flagsOf(CACHE_OPTIONS)),
  async handler(argv) {
    const cache = await openedCache(argv);
    const record = cache.find(String(argv["id"]));
    await print(await rendered(record, argv["output"], () => screen(record, pasted(argv), titleIn(cache, record))));
  },
};

const TITLE_BYTES = 4096;

/** Its arguments, which only root may see: they may hold secrets, and so are in no record and in no object. */
function titleIn({ spool }: Cache, { id }: DumpRecord): string | undefined {
  try {
    const { bytes } = readUpTo(spool.entry(id).path("facts/cmdline"), TITLE_BYTES);
    return textOf(bytes).replaceAll("\0", " ").trim();
  } catch {
    return undefined; // it went with the core, or was never there
  }
}

/** The next command must look into the same cache. */
export function pasted(argv: Parsed): string {
  const dir = argv["dump-dir"];
  return dir === undefined ? "" : ` -d ${quoted(String(dir))}`;
}
