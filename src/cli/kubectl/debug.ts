/** `kubectl coredump debug`: gdb on a core, here or in the cluster. */
import type { CommandModule } from "yargs";
import type { Parsed } from "../commands/flags.ts";
import { session } from "./access.ts";
import { debugHere } from "./debug-here.ts";
import { debugInCluster } from "./debug-pod.ts";
import { interruptible } from "./interrupt.ts";

const text = (describe: string) => ({ type: "string", requiresArg: true, describe }) as const;
const flag = (describe: string) => ({ type: "boolean", default: false, describe }) as const;

export const command: CommandModule<object, Parsed> = {
  command: "debug <name>",
  describe: "open a core in gdb, with the files of the image that crashed",
  builder: (yargs) =>
    yargs
      .positional("name", {
        type: "string",
        demandOption: true,
        describe: "name or id of the Coredump, or name of its pod (its newest dump)",
      })
      .options({
        "print-backtrace": flag("print the crashed thread's backtrace, and end"),
        "all-threads": flag("with --print-backtrace: of every thread"),
        "gdb-timeout": { ...text("with --print-backtrace: how long gdb may take"), default: "5m" },
        debuginfod: flag("let gdb ask the servers in DEBUGINFOD_URLS"),
        core: text("the core, when it is here already"),
        sysroot: text("folder with the image's files (default: from an engine here, by digest)"),
        gdb: text("the debugger to run (default: gdb)"),
        "in-cluster": flag("run gdb in a pod beside the image"),
        "gdb-image": text(
          "in the cluster: image with gdb (default: COREDUMP_GDB_IMAGE, then ~/.config/coredump/gdb-image)",
        ),
        image: text("in the cluster: the crashed image, by another name"),
        "pod-timeout": { ...text("in the cluster: how long the pod may take to start"), default: "2m" },
      }),
  async handler(argv) {
    using stopping = interruptible();
    const ours = await session(argv);
    const debug = argv["in-cluster"] === true ? debugInCluster : debugHere;
    await debug(argv, ours, stopping.signal).catch((error) => {
      stopping.signal.throwIfAborted(); // whatever a child that Ctrl-C ended complained of
      throw error;
    });
  },
};
