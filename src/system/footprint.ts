/** Small for ever: what a role that runs all the time does about its memory. */
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { libc } from "./ffi.ts";

/**
 * V8's young generation keeps its first size; otherwise it grows with the traffic of an upload and stays large. To be
 * called before much is loaded. (As a flag of the executable it would invalidate the code cache; V8 reads it each time
 * that it is about to grow.)
 */
export const staySmall = (): void => setFlagsFromString("--semi-space-growth-factor=1");

/** The old generation is collected when it has grown by half, not only when it is several times what it was. Read again each time, too. */
export const growSlowly = (): void => setFlagsFromString("--heap-growing-percent=50");

const M_MMAP_THRESHOLD = -3;
const LARGE_BYTES = 256 << 10;

/**
 * Large buffers are given back to the kernel when they are freed (mallopt(3)). The allocator would keep them, in as many
 * heaps as there are threads: half of what a server that moves megabytes all the time holds.
 */
export const giveBackLarge = (): void => void libc()?.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);

const MADV_DONTNEED = 4;
/** A part of the program that was never written to: `from-to r-xp offset device inode path`, then its figures. */
const PROGRAM = /^([0-9a-f]+)-([0-9a-f]+) r-[-x]p \S+ \S+ \d+ +(\/.*)$/m;
const UNTOUCHED = /^Anonymous: +0 kB$/m;

/**
 * Gives back the program's own pages that only its start needed: half of what an idle agent holds. Those that are needed
 * again come back from the page cache (madvise(2): a private mapping of a file, never written to).
 */
export function forgetStart(): void {
  for (const mapping of readFileSync("/proc/self/smaps", "latin1").split(/^(?=[0-9a-f]+-)/m)) {
    const [, from = "", to = "", path] = PROGRAM.exec(mapping) ?? [];
    if (path !== process.execPath || !UNTOUCHED.test(mapping)) continue;
    const [start, end] = [BigInt(`0x${from}`), BigInt(`0x${to}`)];
    libc()?.madvise(start, end - start, MADV_DONTNEED); // a refusal costs memory only
  }
}
