/**
 * Whether a core is that of the process that /proc/P showed. Where the kernel hands over no pidfd (%F, before 6.16), the pid
 * may have been another's by the time that we came (CVE-2025-4598). What the kernel wrote into the core tells: the ids, and
 * the auxiliary vector, whose addresses are random for each exec.
 */
import { closeSync, openSync, readSync } from "node:fs";
import type { ReadAt } from "../../crash/elf/bytes.ts";
import type { CoreLayout } from "../../crash/elf/layout.ts";
import { walkNotes } from "../../crash/elf/notes.ts";
import { type ProgramHeader, PT_NOTE } from "../../crash/elf/program-headers.ts";
import { MAX_PRPSINFO_BYTES, PRSTATUS_BYTES, processIn, threadIn } from "../../crash/elf/structures.ts";
import { PROC_FILE_BYTES, statusField } from "../../system/proc.ts";
import type { CrashedProcess } from "./crashed-process.ts";
import type { Mappings } from "./memory-map.ts";

/** Why a core cannot be taken for the process's. */
interface Difference {
  readonly why: string;
  /** It is another's for certain; else it is only not known. */
  readonly foreign: boolean;
}

/** The crashed thread's notes come first, NT_AUXV the fourth of them (fs/binfmt_elf.c, fill_note_info): all within 2 KiB. */
const FIRST_NOTES_BYTES = 16n << 10n;
const MAX_AUXV_BYTES = 4096;
const NT_PRSTATUS = 1;
const NT_PRPSINFO = 3;
const NT_AUXV = 6;

/** @param read  the core; it needs to reach the first notes only. @returns undefined when it is the process's */
export function difference(read: ReadAt, table: CoreLayout, { facts, memory }: CrashedProcess): Difference | undefined {
  const core = firstNotes(read, table);
  const auxv = facts.get("auxv");
  if (!core.auxv || !auxv || core.pid === undefined) return unknown("its notes do not tell whose it is");
  // Of a 32-bit process the file goes on after the vector's end.
  if (!auxv.subarray(0, core.auxv.length).equals(core.auxv)) return other("it has another auxiliary vector");
  if (differs(core.pid, facts.get("status"))) return other(`it is of a process ${core.pid}`);
  if (differs(core.tid, memory.read("status"))) return other(`the thread that crashed is ${core.tid}`);
  return undefined;
}

const unknown = (why: string): Difference => ({
  why: `cannot tell whether the core is the process's: ${why}`,
  foreign: false,
});
const other = (why: string): Difference => ({ why: `the core is another process's: ${why}`, foreign: true });

/** The notes' ids are those of the process's own pid namespace, the last of NSpid (since Linux 4.1). */
function differs(id: number | undefined, status: Buffer | undefined): boolean {
  const own = statusField(status, "NSpid")?.split("\t").at(-1);
  return own !== undefined && id !== undefined && Number(own) !== id;
}

interface FirstNotes {
  tid?: number | undefined;
  pid?: number | undefined;
  auxv?: Buffer;
}

function firstNotes(read: ReadAt, { header, headers }: CoreLayout): FirstNotes {
  const found: FirstNotes = {};
  const notes = Iterator.from(headers).find(({ type }) => type === PT_NOTE);
  if (!notes) return found;
  const { offsetBytes } = notes;
  const fileBytes = notes.fileBytes < FIRST_NOTES_BYTES ? notes.fileBytes : FIRST_NOTES_BYTES;
  walkNotes(read, { offsetBytes, fileBytes }, header, ({ name, type, descBytes, desc }) => {
    if (name !== "CORE") return;
    if (type === NT_PRSTATUS) found.tid ??= threadIn(desc(PRSTATUS_BYTES[header.bits]), header)?.tid;
    if (type === NT_PRPSINFO && descBytes <= MAX_PRPSINFO_BYTES) found.pid ??= processIn(desc(descBytes), header)?.pid;
    if (type === NT_AUXV && descBytes <= MAX_AUXV_BYTES) found.auxv ??= Buffer.from(desc(descBytes));
  });
  return found;
}

/**
 * Whether each segment is one of the mappings, from its beginning to its end, as the kernel makes them (dump_vma_snapshot()).
 */
export const segmentsAreMappings = (segments: Iterable<ProgramHeader>, mappings: Mappings): boolean =>
  Iterator.from(segments).every(({ vaddr, memBytes }) => {
    const [mapping] = mappings.within(vaddr, vaddr + memBytes);
    return mapping?.start === vaddr && mapping.end === vaddr + memBytes;
  });

/** Whether auxiliary vector and mappings are what they were: another process that shares the memory can change them. */
export const isAsBefore = ({ memory, facts }: CrashedProcess): boolean =>
  ["auxv", "maps"].every((name) => holdsStill(memory.path(name), facts.get(name)));

/** Piece by piece: the maps may have 32 MiB. False as well where the file cannot be read. */
function holdsStill(path: string, bytes: Buffer = Buffer.alloc(0)): boolean {
  const piece = Buffer.allocUnsafeSlow(PROC_FILE_BYTES);
  try {
    const fd = openSync(path, "r");
    try {
      let at = 0;
      for (let got = -1; got !== 0; at += got) {
        got = readSync(fd, piece, 0, piece.length, null);
        if (!piece.subarray(0, got).equals(bytes.subarray(at, at + got))) return false;
      }
      return at === bytes.length;
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}
