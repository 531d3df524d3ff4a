/** The raw facts of /proc that are kept beside the core. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { reasonOf } from "../../domain/failures.ts";
import { formatBytes } from "../../domain/units.ts";
import { type Entry, LARGE_FACTS } from "../cache/spool.ts";
import type { Scene } from "./observing.ts";

export interface Facts {
  readonly kept: readonly (readonly [name: string, bytes: Buffer])[];
  /** What the large ones will take on the disk: they count against the cache as the core does. */
  readonly largeBytes: bigint;
  /** Why not all are kept. */
  readonly problem: string | undefined;
}

const BLOCK_BYTES = 4096;
const isLarge = ([name]: readonly [string, Buffer]): boolean => LARGE_FACTS.includes(name);

/** With the dump mode: should the record be lost, nothing else tells that the process was an ordinary one. */
export function factsIn({ process, record: { dumpable } }: Scene): Facts {
  const mode: [string, Buffer][] = dumpable === null ? [] : [["dumpable", Buffer.from(`${dumpable}\n`)]];
  const kept = [...mode, ...(process?.facts ?? [])];
  const blocks = kept.filter(isLarge).reduce((sum, [, { length }]) => sum + Math.ceil(length / BLOCK_BYTES), 0);
  return { kept, largeBytes: BigInt(blocks * BLOCK_BYTES), problem: undefined };
}

/** Where there is room for the core or for the large facts, the core is worth more. */
export const withoutLarge = ({ kept, largeBytes }: Facts): Facts => ({
  kept: kept.filter((fact) => !isLarge(fact)),
  largeBytes: 0n,
  problem: `${LARGE_FACTS.join(", ")} were not kept: no room in the cache for another ${formatBytes(largeBytes)}`,
});

/** @returns why not, when they could not be written */
export function writeFacts(entry: Entry, { kept, problem }: Facts): string | undefined {
  try {
    mkdirSync(entry.path("facts"), { mode: 0o700 });
    for (const [name, bytes] of kept) {
      writeFileSync(entry.path(`facts/${name.replaceAll("/", "_")}`), bytes, { mode: 0o600, flag: "wx" });
    }
    return problem;
  } catch (error) {
    rmSync(entry.path("facts"), { recursive: true, force: true }); // what they took may be what the record needs
    return `facts were not kept: ${reasonOf(error)}`;
  }
}
