/** Our own handler behind the tee: what it made of a crash, beside what the kernel wrote. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { DumpRecord } from "../../src/domain/dump.ts";
import { openCache } from "../../src/node/cache/cache.ts";
import { BINARY } from "./paths.ts";
import { type PatternOptions, withPattern } from "./pattern.ts";
import { type Teed, tee } from "./tee.ts";
import { tempDir } from "./tmp.ts";

/** The installed pattern's arguments (src/node/kernel/core-pattern.ts). */
export const KERNEL_ARGUMENTS = "-P=%P -p=%p -t=%t -s=%s -T=%I -u=%u -g=%g -D=%d -l=%c -F=%F -e=%e";

export interface Captured extends Disposable {
  readonly seen: Teed;
  readonly record: DumpRecord;
  /** Where the cache holds it. */
  readonly dir: string;
}

/** Runs `crash` once under our handler; settings are flags of it (`--capture=drain`). */
export async function captured(
  crash: () => Promise<unknown>,
  flags: readonly string[] = [],
  options?: PatternOptions,
): Promise<Captured> {
  const [only, ...more] = await capturedAll(crash, 1, flags, options);
  assert.ok(only && more.length === 0);
  return only;
}

/** The same for a known number of crashes. */
export async function capturedAll(
  crash: () => Promise<unknown>,
  count: number,
  flags: readonly string[] = [],
  options?: PatternOptions,
): Promise<Captured[]> {
  const folder = tempDir();
  const behind = tee([BINARY, `-d=${folder.path}/cache`, ...flags]);
  const seen = await withPattern(
    behind.pattern(KERNEL_ARGUMENTS),
    async () => {
      await crash();
      return await behind.crashes(count);
    },
    options,
  );
  const records = openCache(join(folder.path, "cache")).records();
  return seen.map((one) => {
    const record = records.find(({ hostPid }) => hostPid === one.pid);
    assert.ok(record, `no record of pid ${one.pid}: ${one.stderr}`);
    return {
      seen: one,
      record,
      dir: join(folder.path, "cache", record.id),
      [Symbol.dispose]: () => {
        behind[Symbol.dispose]();
        folder[Symbol.dispose]();
      },
    };
  });
}

/** The heart of it: complete, and byte for byte what the kernel wrote, but for its clock. */
export function assertSameAsKernel({ record, seen, dir }: Captured): void {
  if (record.core.capture === "direct") blankClock(seen.core, readFileSync(join(dir, "facts/maps"), "latin1"));
  assert.equal(record.core.complete, true, JSON.stringify(record.core));
  assert.equal(record.core.truncation, null);
  assert.equal(record.core.expectedBytes, record.core.logicalBytes);
  execFileSync("cmp", [join(dir, "core"), seen.core]);
  assert.equal(record.core.sha256, execFileSync("sha256sum", [seen.core], { encoding: "utf8" }).slice(0, 64));
}

/**
 * [vvar] is a page of the kernel's that its clock goes on in: zeros in a core, but newer kernels (seen with 7.3) dump what is
 * in it just then, which cannot be had again. What we take from memory has zeros there always.
 */
function blankClock(core: string, maps: string): void {
  const start = /^(\w+)-.*\[vvar\]$/m.exec(maps)?.[1];
  const fd = openSync(core, "r+");
  try {
    const head = Buffer.alloc(64 << 10);
    readSync(fd, head, 0, head.length, 0);
    if (start === undefined || head[4] !== 2) return; // ELFCLASS64 alone: 56 bytes a program header, after the ELF header's 64
    for (let at = 64; at < 64 + 56 * head.readUInt16LE(56) && at + 56 <= head.length; at += 56) {
      if (head.readBigUInt64LE(at + 16) !== BigInt(`0x${start}`)) continue;
      const bytes = Number(head.readBigUInt64LE(at + 32));
      writeSync(fd, Buffer.alloc(bytes), 0, bytes, Number(head.readBigUInt64LE(at + 8)));
    }
  } finally {
    closeSync(fd);
  }
}

/** gdb's backtrace of the crashed thread. */
export const backtrace = ({ dir }: Captured, executable: string): string =>
  execFileSync("gdb", ["-nx", "-batch", "-ex", "bt", executable, join(dir, "core")], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });

export const recordFile = (dir: string): DumpRecord => JSON.parse(readFileSync(join(dir, "record.json"), "utf8"));
