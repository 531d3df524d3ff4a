/** `uninstall`: restores the kernel's settings and removes the handler. */
import type { CommandModule } from "yargs";
import { NODE_OPTIONS } from "../../config/options.ts";
import { DEFAULT_BIN_DIR, thisHost } from "../../node/install/host.ts";
import { uninstall } from "../../node/install/uninstall.ts";
import { print } from "../output/print.ts";
import { stepLines } from "../output/steps.ts";
import { flagsOf, type Parsed } from "./flags.ts";
import { asRoot, binDirOf } from "./node-flags.ts";

export const command: CommandModule<object, Parsed> = {
  command: "uninstall",
  describe: "restore the kernel's settings and remove the handler; dumps stay",
  builder: (yargs) =>
    yargs
      .option("bin-dir", { type: "string", default: DEFAULT_BIN_DIR, describe: "directory of the executable" })
      .option("purge", { type: "boolean", default: false, describe: "also remove all dumps" })
      .options(flagsOf({ dumpDir: NODE_OPTIONS.dumpDir })),
  async handler(argv) {
    asRoot("uninstall");
    const order = {
      binDir: binDirOf(argv),
      dumpDir: argv["dump-dir"] as string | undefined,
      purge: argv["purge"] === true,
    };
    await print(stepLines(await uninstall(order, thisHost())));
  },
};
