/** `install`: puts the handler on this node. */
import type { CommandModule } from "yargs";
import { DEFAULT_BIN_DIR, thisHost } from "../../node/install/host.ts";
import { install } from "../../node/install/install.ts";
import { SETTABLE, settingsForFile } from "../../node/install/settings-file.ts";
import { print } from "../output/print.ts";
import { stepLines } from "../output/steps.ts";
import { flagsOf, type Parsed } from "./flags.ts";
import { asRoot, binDirOf } from "./node-flags.ts";

export const command: CommandModule<object, Parsed> = {
  command: "install",
  describe: "install the handler and make the kernel call it",
  builder: (yargs) =>
    yargs
      .option("bin-dir", { type: "string", default: DEFAULT_BIN_DIR, describe: "directory for the executable" })
      .option("from", {
        type: "string",
        describe: "executable to install, beside its lib/ (default: this one)",
      })
      .option("pattern-only", {
        type: "boolean",
        default: false,
        describe: "only set the kernel's settings again, for use at boot",
      })
      .options(flagsOf(SETTABLE))
      .group(
        Object.values(SETTABLE).map(({ flag }) => flag),
        "Kept in settings.json for the handler (empty value: unset):",
      ),
  async handler(argv) {
    asRoot("install");
    const order = {
      binDir: binDirOf(argv),
      from: argv["from"] as string | undefined,
      patternOnly: argv["pattern-only"] === true,
      settings: settingsForFile(argv),
    };
    const steps = await install(order, thisHost(), new Date());
    const undo = order.binDir === DEFAULT_BIN_DIR ? "" : ` --bin-dir ${order.binDir}`;
    await print(stepLines(steps) + (order.patternOnly ? "" : `Undo with: coredump-detector uninstall${undo}\n`));
  },
};
