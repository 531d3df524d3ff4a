/** `replay`: the handler's steps over a recorded crash. */
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { CommandModule } from "yargs";
import { DumpError } from "../../domain/failures.ts";
import { fixturesIn, readFixture } from "../../roles/fixture.ts";
import { replay } from "../../roles/handler/replay.ts";
import { rendered } from "../output/document.ts";
import { render } from "../output/list.ts";
import { print, say } from "../output/print.ts";
import { screen } from "../output/screen.ts";
import type { Parsed } from "./flags.ts";
import { pasted } from "./info.ts";

export const command: CommandModule<object, Parsed> = {
  command: "replay <fixture>",
  describe: "run the whole pipeline over a recorded crash; needs no root",
  builder: (yargs) =>
    yargs
      .positional("fixture", {
        type: "string",
        demandOption: true,
        describe: "directory of the recorded crash, or its name in fixtures/",
      })
      .option("dump-dir", {
        alias: "d",
        type: "string",
        requiresArg: true,
        describe: "directory for the dump",
        defaultDescription: "a new one",
      })
      .option("output", { alias: "o", choices: ["table", "json", "yaml"], default: "table", describe: "the format" }),
  async handler(argv) {
    const fixture = readFixture(found(String(argv["fixture"])));
    const dir = resolve(String(argv["dump-dir"] ?? mkdtempSync(join(tmpdir(), "coredump-replay-"))));
    const record = await replay(fixture, dir);
    say(`Replayed ${fixture.name} into ${dir}`);
    const list = await render([record], "table", new Date());
    const forPeople = () => `${list}\n${screen(record, pasted({ "dump-dir": dir }))}`;
    await print(await rendered(record, argv["output"], forPeople));
  },
};

/** A directory by its path, else a fixture of the checkout that we are run in or were built in. */
function found(name: string): string {
  const folders = [resolve("fixtures"), join(dirname(process.execPath), "../fixtures")];
  const path = [resolve(name), ...folders.map((folder) => join(folder, name))].find((dir) =>
    existsSync(join(dir, "call.json")),
  );
  if (path !== undefined) return path;
  const names = [...new Set(folders.flatMap(fixturesIn))];
  throw new DumpError("DUMP_NOT_FOUND", `Cannot replay ${JSON.stringify(name)}: there is no such fixture`, {
    hint: names.length > 0 ? `there are ${names.sort().join(", ")}` : "name a directory that holds call.json",
  });
}
