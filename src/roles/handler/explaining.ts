/** Why the process crashed, after its release: what is loaded and read for it, nobody waits for. */
import { closeSync, constants, existsSync, openSync, writeFileSync } from "node:fs";
import type { Entry } from "../../cache/spool.ts";
import { type Crash, shortened } from "../../domain/crash.ts";
import { reasonOf } from "../../domain/failures.ts";
import type { ReadAt } from "../../elf/bytes.ts";
import { fileReader } from "../../elf/file-reader.ts";
import type { MappedFiles } from "../../kernel/mapped-files.ts";

export interface Explaining {
  readonly how: "off" | "stack" | "full";
  /** As far as it was seen while the process was held. */
  readonly glimpse: ReadAt | undefined;
  readonly files: MappedFiles | undefined;
}

/** A process chooses its names, and so how long it is; of an ordinary one some ten thousand. */
const MAX_FILE_LENGTH = 512 << 10;

/** What the record keeps, and why there is less than there could be. */
export interface Explained {
  readonly crash: Crash | null;
  readonly warnings: readonly string[];
}

/**
 * Reads the stack out of the core (or out of what was seen of it), and writes all of it to `crash.json`. Gives the files
 * back in any case. Never throws: a dump is none the worse for a stack that cannot be read.
 */
export async function explain(
  entry: Entry,
  { how, glimpse, files }: Explaining,
  names: ReadonlyMap<number, string> = new Map(),
): Promise<Explained> {
  const path = [entry.part, entry.core].find((each) => existsSync(each));
  const fd = path === undefined ? undefined : openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    if (how === "off" || (fd === undefined && !glimpse)) return { crash: null, warnings: [] };
    const { crashOf } = await import("../../crash/crash.ts");
    files?.released();
    const crash = crashOf({
      core: inTurn(fd === undefined ? undefined : fileReader(fd), glimpse),
      files: ({ start }) => files?.reader(start) ?? "notOpened",
      names,
      allThreads: how === "full",
    });
    if (crash.stack.length === 0) return { crash: null, warnings: [`its stack was not read: ${crash.problem}`] };
    const [whole, short] = [JSON.stringify(crash), shortened(crash)];
    const text = whole.length > MAX_FILE_LENGTH ? JSON.stringify(short) : whole;
    if (path !== undefined) writeFileSync(entry.crash, `${text}\n`, { mode: 0o600 }); // it goes with the core
    return { crash: short, warnings: [] };
  } catch (error) {
    return { crash: null, warnings: [`its stack was not read: ${reasonOf(error)}`] };
  } finally {
    files?.[Symbol.dispose]();
    if (fd !== undefined) closeSync(fd);
  }
}

/** What one does not reach, the other may. */
const inTurn =
  (first: ReadAt | undefined, second: ReadAt | undefined): ReadAt =>
  (offset, length) => {
    const bytes = first?.(offset, length);
    return bytes && bytes.length > 0 ? bytes : (second?.(offset, length) ?? new Uint8Array());
  };
