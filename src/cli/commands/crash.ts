/** `crash`: why a program crashed, from any core file. */
import { closeSync, openSync } from "node:fs";
import type { CommandModule } from "yargs";
import { crashOf } from "../../crash/crash.ts";
import { fileReader } from "../../crash/elf/file-reader.ts";
import { DumpError, reasonOf } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import { crashScreen } from "../output/crash.ts";
import { rendered } from "../output/document.ts";
import { print } from "../output/print.ts";
import type { Parsed } from "./flags.ts";
import { Sysroot } from "./sysroot.ts";

export const command: CommandModule<object, Parsed> = {
  command: "crash <core>",
  describe: "show why a program crashed, with its stack, from any core file; needs no root",
  builder: (yargs) =>
    yargs
      .positional("core", { type: "string", demandOption: true, describe: "a core file, whole or cut short" })
      .option("sysroot", {
        type: "string",
        requiresArg: true,
        describe: "directory that holds the program's files under their own paths",
        defaultDescription: "/",
      })
      .option("all-threads", { type: "boolean", default: false, describe: "show the stacks of all threads" })
      .option("output", { alias: "o", choices: ["table", "json", "yaml"], default: "table", describe: "the format" }),
  async handler(argv) {
    const path = String(argv["core"]);
    const fd = opened(path);
    try {
      using sysroot = new Sysroot(String(argv["sysroot"] ?? "/"));
      const crash = crashOf({ core: fileReader(fd), files: sysroot.file });
      if (crash.stack.length === 0) throw unreadable(path, crash.problem ?? "it holds no stack");
      await print(await rendered(crash, argv["output"], () => crashScreen(crash, argv["all-threads"] === true)));
    } finally {
      closeSync(fd);
    }
  },
};

function opened(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    throw unreadable(path, reasonOf(error), error);
  }
}

const unreadable = (path: string, why: string, cause?: unknown): DumpError =>
  new DumpError("CORE_UNREADABLE", `Cannot read the core ${printable(path)}: ${why}`, {
    cause,
    hint: "name a core file; `coredump-detector dump <id> FILE` makes one of a dump in the cache",
  });
