/** `kubectl coredump verify`: downloads cores, checks them, keeps nothing. */
import { createHash } from "node:crypto";
import type { CommandModule } from "yargs";
import { readerOf } from "../../crash/elf/bytes.ts";
import { layoutOf } from "../../crash/elf/layout.ts";
import { MAX_HELD_BYTES } from "../../crash/elf/program-headers.ts";
import type { Coredump } from "../../kube/coredump.ts";
import type { Session } from "../client/session.ts";
import type { Parsed } from "../commands/flags.ts";
import { type Finding, findingOf, renderFindings, verdictOn } from "../output/findings.ts";
import { print } from "../output/print.ts";
import { session } from "./access.ts";
import { streamed } from "./download.ts";
import { downloadable, openCore, sha256Of } from "./dump.ts";
import { interruptible } from "./interrupt.ts";

export const command: CommandModule<object, Parsed> = {
  command: "verify <names..>",
  describe: "check that cores are whole and unchanged, by downloading them; nothing is kept",
  builder: (yargs) =>
    yargs
      .positional("names", {
        type: "string",
        array: true,
        demandOption: true,
        describe: "names or ids of Coredumps, or names of their pods (the newest dump of each)",
      })
      .option("output", {
        alias: "o",
        requiresArg: true,
        choices: ["table", "json", "yaml"],
        default: "table",
        describe: "the format",
      }),
  async handler(argv) {
    using stopping = interruptible();
    const ours = await session(argv);
    const findings: NamedFinding[] = [];
    for (const name of new Set(argv["names"] as string[])) {
      findings.push(await examined(ours, await downloadable(ours, name), stopping.signal));
    }
    await print(await renderFindings(findings, argv["output"], [{ title: "NAME", text: ({ name }) => name }]));
    const isCorrupt = findings.some(({ checksum }) => checksum === "wrong");
    verdictOn(
      findings,
      ({ checksum, complete }) => (isCorrupt ? checksum === "wrong" : !complete),
      (bad) => `${isCorrupt ? "not what was captured" : "not complete"}: ${bad.map(({ name }) => name).join(", ")}`,
    );
  },
};

interface NamedFinding extends Finding {
  readonly name: string;
}

/** The headers are at a core's beginning; the rest only passes by. */
async function examined(ours: Session, coredump: Coredump, signal: AbortSignal): Promise<NamedFinding> {
  const remote = await openCore(ours, coredump, signal);
  const head: Buffer[] = [];
  let headBytes = 0;
  const hash = createHash("sha256");
  for await (const chunk of streamed({ remote, sha256: undefined, signal })) {
    hash.update(chunk);
    if (headBytes < 2 * MAX_HELD_BYTES) head.push(chunk);
    headBytes += chunk.length;
  }
  const sha256 = hash.digest("hex");
  const layout = layoutOf(readerOf(Buffer.concat(head)));
  const mayLack = coredump.status?.complete === false;
  return {
    name: coredump.metadata.name,
    ...findingOf(remote.lengthBytes, layout, sha256, sha256Of(coredump), mayLack),
  };
}
