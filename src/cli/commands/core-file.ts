/** A core in the cache, read from end to end. */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import type { DumpRecord } from "../../domain/dump.ts";
import { DumpError, errnoOf } from "../../domain/failures.ts";
import { shortId } from "../../domain/id.ts";
import { sha256Of } from "../../node/cache/examine.ts";
import { isHeld, whyNotHeld } from "../output/describe.ts";
import { ProgressBar } from "../output/progress.ts";

/** @throws DumpError DUMP_NOT_HELD with the reason; DUMP_BUSY while it is still being captured */
export function openedCore(record: DumpRecord, corePath: string): Disposable & { readonly fd: number } {
  const id = shortId(record.id);
  if (record.state === "Capturing") {
    throw new DumpError("DUMP_BUSY", `Cannot read the core of ${id}: it is being captured`, { hint: "Try again soon" });
  }
  if (!isHeld(record)) {
    throw new DumpError("DUMP_NOT_HELD", `Cannot read the core of ${id}: it is not held (${whyNotHeld(record)})`, {
      hint: `coredump-detector info ${id} says what is known of it`,
    });
  }
  try {
    const fd = openSync(corePath, constants.O_RDONLY | constants.O_NOFOLLOW);
    return { fd, [Symbol.dispose]: () => closeSync(fd) };
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw cause;
    throw new DumpError("DUMP_NOT_HELD", `Cannot read the core of ${id}: ${corePath} is gone`, { cause });
  }
}

/**
 * Hands every byte to `each`, in order; shows progress on a terminal.
 * @param lengthBytes  how much of the file counts
 * @returns the SHA-256 of it all, in hex
 */
export async function digestOf(
  fd: number,
  each?: (chunk: Buffer, positionBytes: bigint) => Promise<void>,
  lengthBytes = fstatSync(fd).size,
): Promise<string> {
  using progress = new ProgressBar(lengthBytes);
  const eachOne = async (chunk: Buffer, positionBytes: bigint) => {
    await each?.(chunk, positionBytes);
    progress.at(Number(positionBytes) + chunk.length);
  };
  return await sha256Of(fd, eachOne, lengthBytes);
}
