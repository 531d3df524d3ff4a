/** `kubectl coredump delete`: deletes Coredumps, and with them their bundles. */
import type { CommandModule } from "yargs";
import { DumpError, reasonOf } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import type { Coredump } from "../../kube/coredump.ts";
import { remove } from "../client/objects.ts";
import type { Session } from "../client/session.ts";
import { explained } from "../client/trouble.ts";
import { confirmed } from "../commands/ask.ts";
import type { Parsed } from "../commands/flags.ts";
import { say } from "../output/print.ts";
import { session } from "./access.ts";
import { DUMP_FLAGS, selectDumps, theDump } from "./select.ts";

export const command: CommandModule<object, Parsed> = {
  command: ["delete [names..]", "rm"],
  describe: "delete dumps: the record, and with it the bundle in the store",
  builder: (yargs) =>
    yargs
      .positional("names", { type: "string", array: true, default: [], describe: "names or ids of Coredumps" })
      .option("all", {
        alias: "a",
        type: "boolean",
        default: false,
        describe: "all of the namespace, or all that these select:",
      })
      .options(DUMP_FLAGS)
      .option("yes", {
        alias: "y",
        type: "boolean",
        default: false,
        describe: "do not ask before deleting with --all",
      }),
  async handler(argv) {
    const [names, all] = [argv["names"] as string[], argv["all"] === true];
    const isSelection = Object.keys(DUMP_FLAGS).some((flag) => argv[flag] !== undefined);
    if (all ? names.length > 0 : names.length === 0)
      throw new DumpError("USAGE", "Cannot tell which: name dumps, or give --all");
    if (!all && isSelection) throw new DumpError("USAGE", "Cannot filter names: --all goes with selectors");
    const ours = await session(argv);
    const coredumps = all ? await selectDumps(ours, ours.namespace, argv) : await eachNamed(ours, names);
    if (all && argv["yes"] !== true && !(await confirmed(coredumps.length, `in namespace ${ours.namespace}`))) return;
    await removeEach(ours, coredumps);
  },
};

/** Each once, whatever it was called. */
async function eachNamed(ours: Session, names: readonly string[]): Promise<Coredump[]> {
  const dumps = await Promise.all([...new Set(names)].map((name) => theDump(ours, name, false)));
  return [...new Map(dumps.map((dump) => [dump.metadata.uid, dump])).values()];
}

/** One that cannot be deleted does not save the others. @throws DumpError the first failure */
async function removeEach({ http }: Session, coredumps: readonly Coredump[]): Promise<void> {
  if (coredumps.length === 0) say("Nothing to delete");
  let failure: unknown;
  for (const coredump of coredumps) {
    const { name, namespace } = coredump.metadata;
    try {
      await remove(http, "coredumps", coredump);
      say(`${printable(name)} deleted`);
    } catch (error) {
      const told = explained(error, "coredumps", { namespace, name }, "delete");
      if (failure !== undefined) say(`error: ${printable(reasonOf(told))}`);
      failure ??= told;
    }
  }
  if (failure !== undefined) throw failure;
}
