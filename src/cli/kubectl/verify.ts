/** `kubectl coredump verify`: downloads cores, checks them, keeps nothing. */
import { createHash } from "node:crypto";
import type { CommandModule } from "yargs";
import { readerOf } from "../../crash/elf/bytes.ts";
import { layoutOf } from "../../crash/elf/layout.ts";
import { MAX_HELD_BYTES } from "../../crash/elf/program-headers.ts";
import { DumpError } from "../../domain/failures.ts";
import { printable } from "../../domain/text.ts";
import { formatBytes } from "../../domain/units.ts";
import type { Coredump } from "../../kube/coredump.ts";
import type { Session } from "../client/session.ts";
import type { Parsed } from "../commands/flags.ts";
import { json, yaml } from "../output/document.ts";
import { print } from "../output/print.ts";
import { table } from "../output/table.ts";
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
    const findings: Finding[] = [];
    for (const name of new Set(argv["names"] as string[])) {
      findings.push(await examined(ours, await downloadable(ours, name), stopping.signal));
    }
    await print(await rendered(findings, String(argv["output"])));
    verdictOn(findings);
  },
};

interface Finding {
  readonly name: string;
  readonly logicalBytes: number;
  /** As its program headers say; null: they cannot be believed. */
  readonly expectedBytes: number | null;
  readonly complete: boolean;
  readonly sha256: string;
  /** `unknown`: the Coredump states none. */
  readonly checksum: "right" | "wrong" | "unknown";
}

/** The headers are at a core's beginning; the rest only passes by. */
async function examined(ours: Session, coredump: Coredump, signal: AbortSignal): Promise<Finding> {
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
  const stated = sha256Of(coredump);
  return {
    name: coredump.metadata.name,
    logicalBytes: remote.lengthBytes,
    expectedBytes: layout.ok ? Number(layout.expectedBytes) : null,
    complete: layout.ok && layout.expectedBytes <= BigInt(remote.lengthBytes) && coredump.status?.complete !== false,
    sha256,
    checksum: stated === undefined ? "unknown" : stated === sha256 ? "right" : "wrong",
  };
}

/** @throws DumpError for the worst that was found */
function verdictOn(findings: readonly Finding[]): void {
  const corrupt = findings.filter(({ checksum }) => checksum === "wrong");
  const partial = findings.filter(({ complete }) => !complete);
  const bad = corrupt.length > 0 ? corrupt : partial;
  if (bad.length === 0) return;
  const what = corrupt.length > 0 ? "not what was captured" : "not complete";
  throw new DumpError(
    corrupt.length > 0 ? "DUMP_CORRUPT" : "DUMP_INCOMPLETE",
    `Cannot confirm ${bad.length} of ${findings.length}: ${what}: ${bad.map(({ name }) => name).join(", ")}`,
  );
}

async function rendered(findings: readonly Finding[], format: string): Promise<string> {
  if (format === "json") return json(findings);
  if (format === "yaml") return await yaml(findings);
  return table(
    [
      { title: "NAME", text: ({ name }) => printable(name) },
      { title: "SIZE", text: ({ logicalBytes }) => formatBytes(logicalBytes) },
      {
        title: "EXPECTED",
        text: ({ expectedBytes }) => (expectedBytes === null ? "unknown" : formatBytes(expectedBytes)),
      },
      {
        title: "COMPLETE",
        text: ({ complete }) => (complete ? "yes" : "no"),
        colour: ({ complete }) => (complete ? undefined : "red"),
      },
      {
        title: "CHECKSUM",
        text: ({ checksum }) => checksum,
        colour: ({ checksum }) => (checksum === "wrong" ? "red" : undefined),
      },
    ],
    findings,
  );
}
