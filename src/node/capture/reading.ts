/** The stack, out of all that is left of the process. */
import { closeSync, constants, openSync } from "node:fs";
import type { ReadAt } from "../../crash/elf/bytes.ts";
import { fileReader } from "../../crash/elf/file-reader.ts";
import type { Crash } from "../../domain/crash.ts";
import { type SeenPart, seenReader } from "../kernel/glimpse.ts";
import { FileReaders, type OpenFiles } from "../kernel/mapped-files.ts";

/** Plain data, so that another process of ours can read it (apart.ts). */
export interface StackSources {
  /** Path of the core's file; undefined: there is none. */
  readonly core: string | undefined;
  /** How much of it is certain; undefined: all. */
  readonly coreBytes: bigint | undefined;
  readonly seen: readonly SeenPart[];
  readonly files: OpenFiles | undefined;
  /** How long they may still be read. */
  readonly openMs: number;
  /** Of threads. */
  readonly names: ReadonlyMap<number, string>;
  readonly allThreads: boolean;
}

/** @throws what opening the core throws */
export async function readStack(sources: StackSources): Promise<Crash> {
  const { core, coreBytes, seen, files, openMs, names, allThreads } = sources;
  const { crashOf } = await import("../../crash/crash.ts");
  const fd = core === undefined ? undefined : openSync(core, constants.O_RDONLY | constants.O_NOFOLLOW);
  using readers = files && new FileReaders(files, openMs);
  try {
    const kept = fd === undefined ? undefined : upTo(coreBytes, fileReader(fd));
    const fileOf = ({ start }: { start: bigint }) => readers?.of(start) ?? ("notOpened" as const);
    return crashOf({ core: inTurn(kept, seenReader(seen)), files: fileOf, names, allThreads });
  } finally {
    if (fd !== undefined) closeSync(fd);
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
  (first: ReadAt | undefined, second: ReadAt): ReadAt =>
  (offset, length) => {
    const bytes = first?.(offset, length) ?? new Uint8Array();
    if (bytes.length === length) return bytes;
    const other = second(offset, length);
    return other.length > bytes.length ? other : bytes;
  };
