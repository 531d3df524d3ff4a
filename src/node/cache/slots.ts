/** How many dumps are captured at once; further ones wait. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { FileLock } from "../../system/lock.ts";
import type { Spool } from "./spool.ts";

const LOOK_AGAIN_MS = 20;

/**
 * A place among the dumps that are copied at once. When all are taken the caller waits, its process held (the kernel's
 * core_pipe_limit is the only hard bound), and goes on without one after `waitMs`: late is better than lost.
 */
export async function takeSlot(spool: Spool, count: number, waitMs: number): Promise<FileLock | undefined> {
  const dir = join(spool.dir, ".slots");
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  for (const end = performance.now() + waitMs; ; ) {
    for (let slot = 0; slot < count; slot++) {
      const lock = FileLock.try(join(dir, String(slot)));
      if (lock) return lock;
    }
    if (performance.now() >= end) return undefined;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}
