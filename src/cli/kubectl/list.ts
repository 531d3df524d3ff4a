/** `kubectl coredump list`: a namespace's dumps, once or as they change. */
import type { CommandModule } from "yargs";
import type { Coredump } from "../../kube/coredump.ts";
import type { Parsed } from "../commands/flags.ts";
import { rendered } from "../output/document.ts";
import { print, say } from "../output/print.ts";
import { table } from "../output/table.ts";
import { session } from "./access.ts";
import { columns, nameLine, ORDERS } from "./output/rows.ts";
import { ALL_NAMESPACES, DUMP_FLAGS, filterIn, namespaceIn, selectDumps, selectionIn } from "./select.ts";
import { watch } from "./watch.ts";

export const command: CommandModule<object, Parsed> = {
  command: ["list", "ls"],
  describe: "list the dumps of a namespace, the newest first",
  builder: {
    ...ALL_NAMESPACES,
    ...DUMP_FLAGS,
    "sort-by": { requiresArg: true, choices: Object.keys(ORDERS), default: "age", describe: "order of the rows" },
    watch: { alias: "w", type: "boolean", default: false, describe: "then print changes as they happen" },
    output: {
      alias: "o",
      requiresArg: true,
      choices: ["wide", "json", "yaml", "name"],
      describe: "the format (default: a table)",
    },
  },
  async handler(argv) {
    const ours = await session(argv);
    const namespace = namespaceIn(argv, ours);
    const format = argv["output"] as string | undefined;
    const isMeant = filterIn(argv, new Date());
    if (argv["watch"] === true) return await watch(ours, namespace, { ...selectionIn(argv), isMeant }, format);
    const coredumps = await selectDumps(ours, namespace, argv);
    coredumps.sort(ORDERS[String(argv["sort-by"])]);
    if (coredumps.length === 0)
      say(namespace === undefined ? "No dumps found" : `No dumps found in namespace ${namespace}`);
    await print(await shown(coredumps, format, namespace === undefined));
  },
};

export const LIST = { apiVersion: "v1", kind: "List", metadata: {} };

function shown(coredumps: readonly Coredump[], format: string | undefined, namespaces: boolean): Promise<string> {
  return rendered({ ...LIST, items: coredumps }, format, () => {
    if (format === "name") return coredumps.map(nameLine).join("");
    const wanted = columns(new Date(), { wide: format === "wide", namespaces });
    return coredumps.length === 0 ? "" : table(wanted, coredumps);
  });
}
