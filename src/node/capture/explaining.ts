/** Why the process crashed, after its release: nothing waits for what is loaded and read for it. */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { HandlerSettings } from "../../config/options.ts";
import { type Crash, shortened } from "../../domain/crash.ts";
import { reasonOf } from "../../domain/failures.ts";
import type { Explain } from "../cache/abandoned.ts";
import type { Entry } from "../cache/spool.ts";
import type { SeenPart } from "../kernel/glimpse.ts";
import { MAX_OPEN_MS, type MappedFiles, type OpenFiles } from "../kernel/mapped-files.ts";
import { readStack, type StackSources } from "./reading.ts";

export interface Explaining {
  readonly how: HandlerSettings["crash"];
  /** As far as it was seen while the process was held. */
  readonly seen?: readonly SeenPart[];
  readonly files?: MappedFiles | undefined;
  /** Looking at the process's memory still hangs. */
  readonly stalled?: boolean;
  readonly threadNames?: ReadonlyMap<number, string>;
  /** How much of the core's file is certain: after it there may be gaps that read as zeros. */
  readonly coreBytes?: bigint;
}

/** A process chooses its names, and so how long it is; of an ordinary one some ten thousand. */
const MAX_FILE_LENGTH = 512 << 10;

/** What the record keeps, and why there is less than there could be. */
interface Explained {
  readonly crash: Crash | null;
  readonly warnings: readonly string[];
}

/**
 * Reads the stack out of the core (or out of what was seen of it), and writes all of it to `crash.json`. Gives the files
 * back in any case. Never throws: a dump is none the worse for a stack that cannot be read.
 */
export async function explain(entry: Entry, explaining: Explaining): Promise<Explained> {
  const { how, seen = [], files, threadNames: names = new Map(), coreBytes } = explaining;
  try {
    const core = [entry.part, entry.core].find((each) => existsSync(each));
    if (how === "off" || (core === undefined && seen.length === 0)) return { crash: null, warnings: [] };
    const { crash, problem } = await read({ core, coreBytes, seen, names, allThreads: how === "full" }, files, entry);
    if (crash.stack.length === 0) return { crash: null, warnings: [`its stack was not read: ${crash.problem}`] };
    const short = shortened(crash);
    return { crash: short, warnings: [...problem, ...(core === undefined ? [] : keep(entry, crash, short))] };
  } catch (error) {
    return { crash: null, warnings: [`its stack was not read: ${reasonOf(error)}`] };
  } finally {
    files?.[Symbol.dispose]();
  }
}

/** Here, or in a process of its own where files of a server are needed; without those where they cannot be had. */
async function read(
  known: Omit<StackSources, "files" | "openMs">,
  files: MappedFiles | undefined,
  entry: Entry,
): Promise<{ readonly crash: Crash; readonly problem: readonly string[] }> {
  const expires = performance.now() + MAX_OPEN_MS;
  const sources = (files: OpenFiles | undefined) => ({ ...known, files, openMs: expires - performance.now() });
  if (!files?.served) return { crash: await readStack(sources(files?.local)), problem: [] };
  const { readApart } = await import("./apart.ts");
  const apart = await readApart(sources(files.served), dirname(entry.dir));
  if (typeof apart === "object") return { crash: apart, problem: [] };
  const problem = [`files that a server has were not read for its stack: ${apart}`];
  return { crash: await readStack(sources(files.local)), problem };
}

/** The same of a dump that a killed handler left. */
export const explainLater =
  (how: Explaining["how"]): Explain =>
  (entry, coreBytes) =>
    explain(entry, { how, coreBytes });

/** All of it, beside the core, with which it goes. The record has it in short, also where the disk is full. */
function keep(entry: Entry, crash: Crash, short: Crash): string[] {
  const whole = JSON.stringify(crash);
  const text = whole.length > MAX_FILE_LENGTH ? JSON.stringify(short) : whole;
  try {
    writeFileSync(entry.crash, `${text}\n`, { mode: 0o600 });
    return [];
  } catch (error) {
    rmSync(entry.crash, { recursive: true, force: true });
    return [`its stack is kept in short only: ${reasonOf(error)}`];
  }
}
