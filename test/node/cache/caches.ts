/** Caches in a directory of their own, and the things that lie in them. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { blankRecord, type DumpRecord } from "../../../src/domain/dump.ts";
import { writeRecord } from "../../../src/node/cache/record.ts";
import { type Entry, Spool } from "../../../src/node/cache/spool.ts";
import { buildCore, LSB64, note, prstatus, siginfo } from "../../crash/elf/build.ts";
import { tempDir } from "../../support/tmp.ts";

export const TIME = new Date("2026-11-21T07:21:03.512Z");

/** Ids in the order of their numbers. */
export const idOf = (number: number): string => `019e0000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`;

/** A whole core with a signal in it; `memoryBytes` of 0x55. */
export const coreOf = (memoryBytes = 8192): Buffer =>
  buildCore({
    notes: Buffer.concat([
      note(LSB64, "CORE", 1, prstatus(LSB64, 42, 11)),
      note(LSB64, "CORE", 0x53494749, siginfo(LSB64, 11, 1, 0xdeadn)),
    ]),
    parts: [{ vaddr: 0x400000n, bytes: Buffer.alloc(memoryBytes, 0x55) }],
  });

export interface TestSpool extends Disposable {
  readonly spool: Spool;
  /** A dump's directory with a record, which `change` is put over. */
  entry(number: number, change?: Partial<DumpRecord>): Entry;
  /** A captured dump that holds so many bytes. */
  captured(number: number, heldBytes: number, change?: Partial<DumpRecord>): Entry;
}

export function testSpool(): TestSpool {
  const dir = tempDir();
  const spool = Spool.open(join(dir.path, "cache"), true);
  const entry = (number: number, change: Partial<DumpRecord> = {}): Entry => {
    const made = spool.entry(idOf(number));
    mkdirSync(made.dir, { recursive: true, mode: 0o700 });
    writeRecord(made, { ...blankRecord(made.id, TIME, "node-1"), dumpable: 1, ...change });
    return made;
  };
  return {
    spool,
    entry,
    captured(number, heldBytes, change = {}) {
      const made = entry(number, { state: "Captured", ...change });
      writeFileSync(made.core, Buffer.alloc(heldBytes, 0x55));
      return made;
    },
    [Symbol.dispose]: () => dir[Symbol.dispose](),
  };
}

/** Names in a dump's directory, but for the lock. */
export const filesOf = (entry: Entry): string[] =>
  existsSync(entry.dir)
    ? readdirSync(entry.dir)
        .filter((name) => name !== "lock")
        .sort()
    : [];
