/** `sweep`: uploads what waits on this node, then ends. */
import type { CommandModule } from "yargs";
import { DumpError } from "../../domain/failures.ts";
import { shortId } from "../../domain/id.ts";
import { printable } from "../../domain/text.ts";
import { parseDurationMs } from "../../domain/units.ts";
import { sweep } from "../../roles/agent/sweep.ts";
import { say } from "../output/print.ts";
import { flagsOf, type Parsed } from "./flags.ts";
import { asRoot } from "./node-flags.ts";
import { AGENT_FLAGS, agentSettings, untilStopped } from "./roles.ts";

export const command: CommandModule<object, Parsed> = {
  command: "sweep",
  describe: "upload what waits on this node, then end; to be run before a node is retired",
  builder: (yargs) =>
    yargs
      .option("wait", { type: "string", default: "10m", requiresArg: true, describe: "how long to wait for decisions" })
      .options(flagsOf(AGENT_FLAGS)),
  async handler(argv) {
    asRoot("sweep");
    const settings = agentSettings(argv);
    const waitMs = parseDurationMs(String(argv["wait"]));
    if (waitMs === undefined)
      throw new DumpError("USAGE", `Cannot use --wait=${argv["wait"]}: not a duration such as 30s`);
    let left = 0;
    await sweep(
      settings,
      waitMs,
      ({ id, state, waits }) => {
        say(`${shortId(id)} ${state}${waits === undefined ? "" : `: ${printable(waits)}`}`);
        if (waits !== undefined) left++;
      },
      untilStopped(),
    );
    if (left > 0)
      throw new DumpError("DUMP_BUSY", `Cannot sweep all: ${left} dump${left === 1 ? "" : "s"} still on this node`);
  },
};
