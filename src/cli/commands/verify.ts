/** `verify`: checks the cores of this node. */
import type { CommandModule } from "yargs";
import { DumpError } from "../../domain/failures.ts";
import { shortId } from "../../domain/id.ts";
import { isHeld } from "../output/describe.ts";
import { renderFindings, verdictOn } from "../output/findings.ts";
import { print } from "../output/print.ts";
import type { Column } from "../output/table.ts";
import { found, openedCache } from "./cache-access.ts";
import { type CacheFinding, examine } from "./examine.ts";
import { CACHE_OPTIONS, flagsOf, type Parsed } from "./flags.ts";

export const command: CommandModule<object, Parsed> = {
  command: "verify [ids..]",
  describe: "check that cores are whole and unchanged",
  builder: (yargs) =>
    yargs
      .positional("ids", { type: "string", array: true, default: [], describe: "ids, short ids, or their beginnings" })
      .option("all", { alias: "a", type: "boolean", default: false, describe: "all cores on this node" })
      .option("output", { alias: "o", choices: ["table", "json", "yaml"], default: "table", describe: "the format" })
      .options(flagsOf(CACHE_OPTIONS)),
  async handler(argv) {
    const ids = argv["ids"] as string[];
    if (argv["all"] === true ? ids.length > 0 : ids.length === 0)
      throw new DumpError("USAGE", "Name ids, or give --all");
    const cache = await openedCache(argv);
    const named = async () => await Promise.all(found(cache, ids).map((record) => cache.finished(record)));
    const records = argv["all"] === true ? cache.records().filter(isHeld) : await named();
    const findings = await examine(records, (record) => cache.corePath(record));
    await print(await renderFindings(findings, argv["output"], NAMING));
    verdictOn(
      findings,
      ({ problem }) => problem !== null,
      (bad) => bad.map(({ id, problem }) => `${shortId(id)} ${problem}`).join("; "),
    );
  },
};

const NAMING: readonly Column<CacheFinding>[] = [
  { title: "ID", text: ({ id }) => shortId(id) },
  { title: "EXECUTABLE", text: ({ executable }) => executable, maxColumns: 24 },
];
