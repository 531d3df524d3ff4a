/** Why the process crashed, after its release: nothing waits for what is loaded and read for it. */
import { closeSync, constants, existsSync, openSync, rmSync, writeFileSync } from "node:fs";
import type { HandlerSettings } from "../../config/options.ts";
import type { ReadAt } from "../../crash/elf/bytes.ts";
import { fileReader } from "../../crash/elf/file-reader.ts";
import { type Crash, shortened } from "../../domain/crash.ts";
import { reasonOf } from "../../domain/failures.ts";
import type { Explain } from "../cache/abandoned.ts";
import type { Entry } from "../cache/spool.ts";
import type { MappedFiles } from "../kernel/mapped-files.ts";

export interface Explaining {
  readonly how: HandlerSettings["crash"];
  /** As far as it was seen while the process was held. */
  readonly glimpse?: ReadAt | undefined;
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
  const { how, glimpse, files, threadNames: names = new Map(), coreBytes } = explaining;
  let fd: number | undefined;
  try {
    const path = [entry.part, entry.core].find((each) => existsSync(each));
    if (how === "off" || (path === undefined && !glimpse)) return { crash: null, warnings: [] };
    fd = path === undefined ? undefined : openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const core = inTurn(fd === undefined ? undefined : upTo(coreBytes, fileReader(fd)), glimpse);
    const { crashOf } = await import("../../crash/crash.ts");
    files?.released();
    const crash = crashOf({
      core,
      files: ({ start }) => files?.reader(start) ?? "notOpened",
      names,
      allThreads: how === "full",
    });
    if (crash.stack.length === 0) return { crash: null, warnings: [`its stack was not read: ${crash.problem}`] };
    const short = shortened(crash);
    return { crash: short, warnings: path === undefined ? [] : keep(entry, crash, short) };
  } catch (error) {
    return { crash: null, warnings: [`its stack was not read: ${reasonOf(error)}`] };
  } finally {
    files?.[Symbol.dispose]();
    if (fd !== undefined) closeSync(fd);
  }
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

const upTo =
  (endBytes: bigint | undefined, read: ReadAt): ReadAt =>
  (offset, length) => {
    const left = endBytes === undefined ? BigInt(length) : endBytes - offset;
    return left <= 0n ? new Uint8Array() : read(offset, left < BigInt(length) ? Number(left) : length);
  };

/** What one does not reach, the other may. */
const inTurn =
  (first: ReadAt | undefined, second: ReadAt | undefined): ReadAt =>
  (offset, length) => {
    const bytes = first?.(offset, length) ?? new Uint8Array();
    if (!second || bytes.length === length) return bytes;
    const other = second(offset, length);
    return other.length > bytes.length ? other : bytes;
  };
