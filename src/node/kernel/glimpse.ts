/**
 * What explains a crash although its core is not taken, or not to its end: the notes, which come before all memory, and the
 * crashed thread's stack, read while the process is held.
 */
import { closeSync, openSync } from "node:fs";
import { fieldsOf, type ReadAt, readerOf } from "../../crash/elf/bytes.ts";
import type { CoreLayout } from "../../crash/elf/layout.ts";
import { walkNotes } from "../../crash/elf/notes.ts";
import { type ProgramHeader, PT_LOAD, PT_NOTE } from "../../crash/elf/program-headers.ts";
import { readAt } from "../../system/io.ts";
import type { CrashedProcess } from "./crashed-process.ts";
import type { CoreHead } from "./head.ts";
import type { CorePipe } from "./pipe.ts";
import { difference } from "./same-process.ts";

const STACK_BYTES = 256 << 10;
const PAGE_BYTES = 4096n;
/** Of some thousand threads; the notes of more are not held. */
const MAX_NOTE_BYTES = 8n << 20n;
/** A page of a stack may be one that never comes (userfaultfd(2)). */
const STALL_MS = 500;
const NT_PRSTATUS = 1;
/** Where NT_PRSTATUS has the stack pointer, by ELF machine (struct elf_prstatus: pr_reg, in the order of struct pt_regs). */
const STACK_POINTER: Readonly<Record<number, number>> = { 62: 112 + 19 * 8, 3: 72 + 15 * 4, 183: 112 + 31 * 8 };

/** Bytes of the core that were read while the process was held. */
export interface SeenPart {
  readonly offsetBytes: bigint;
  readonly bytes: Uint8Array;
}

/** @returns at each offset the bytes of the last part that has it */
export const seenReader =
  (parts: readonly SeenPart[]): ReadAt =>
  (offset, length) => {
    const part = parts.findLast(({ offsetBytes, bytes }) => {
      const within = offset - offsetBytes;
      return within >= 0n && within < BigInt(bytes.length);
    });
    return part ? readerOf(part.bytes)(offset - part.offsetBytes, length) : new Uint8Array();
  };

interface Glimpsed {
  /** With the notes among its bytes. */
  readonly head: CoreHead;
  /** The core, as far as it was seen. */
  readonly seen: readonly SeenPart[];
  /** A read of the process's memory still hangs, and so will exit(3). */
  readonly stalled: boolean;
}

/** Takes the notes from the pipe, and the stack from the process. Never throws: the copy goes on whatever is seen here. */
export async function glimpse(head: CoreHead, pipe: CorePipe, process: CrashedProcess | undefined): Promise<Glimpsed> {
  const notes = head.table && Iterator.from(head.table.headers).find(({ type }) => type === PT_NOTE);
  const end = notes && notes.offsetBytes + notes.fileBytes;
  const follows =
    notes && notes.offsetBytes >= BigInt(head.bytes.length) && pipe.positionBytes === BigInt(head.bytes.length);
  if (!head.table || !notes || end === undefined || end > MAX_NOTE_BYTES || !follows)
    return { head, seen: [], stalled: false };
  const bytes = Buffer.allocUnsafeSlow(Number(end));
  head.bytes.copy(bytes);
  const whole = { ...head, bytes: bytes.subarray(0, await pipe.fill(bytes, head.bytes.length, bytes.length)) };
  const notesSeen = { offsetBytes: 0n, bytes: whole.bytes };
  const read = readerOf(whole.bytes);
  // Where they differ, what lies at /proc/P now is not what crashed.
  const isProcess = process && !difference(read, head.table, process);
  const looked = isProcess ? await stackOf(head.table, notes, read, process).catch(() => undefined) : undefined;
  const seen = typeof looked === "object" ? [notesSeen, looked] : [notesSeen];
  return { head: whole, stalled: looked === "stalled", seen };
}

/** From the stack pointer on, or from the next segment where that has run out of its own (a stack overflow). */
async function stackOf(
  { header, headers }: CoreLayout,
  notes: ProgramHeader,
  read: ReadAt,
  process: CrashedProcess,
): Promise<SeenPart | "stalled" | undefined> {
  const at = STACK_POINTER[header.machine];
  if (at === undefined) return undefined;
  let pointer: bigint | undefined;
  walkNotes(read, notes, header, (note) => {
    if (pointer !== undefined || note.type !== NT_PRSTATUS || note.name !== "CORE") return;
    const desc = note.desc(at + header.bits / 8);
    if (desc.length === at + header.bits / 8) pointer = fieldsOf(desc, header).word(at);
  });
  const sp = pointer;
  const segment = sp === undefined ? undefined : segmentFrom(headers, sp);
  if (sp === undefined || !segment) return undefined;
  const page = sp - (sp % PAGE_BYTES); // readers ask for whole pages, and leaf functions use what is below
  const from = page > segment.vaddr ? page : segment.vaddr;
  const left = segment.vaddr + segment.memBytes - from;
  const bytes = await readMemory(process, from, left < STACK_BYTES ? Number(left) : STACK_BYTES);
  if (!bytes) return "stalled";
  return { offsetBytes: segment.offsetBytes + from - segment.vaddr, bytes };
}

/** The segment that holds the address, else the next one above; kernel.core_sort_vma (6.15) orders them by size. */
function segmentFrom(headers: Iterable<ProgramHeader>, address: bigint): ProgramHeader | undefined {
  let found: ProgramHeader | undefined;
  for (const each of headers)
    if (each.type === PT_LOAD && address < each.vaddr + each.memBytes && !(found && found.vaddr < each.vaddr))
      found = each;
  return found;
}

/** By /proc/P/mem, which copies nothing in the process (docs/architecture.md, rule 10). @returns undefined when it hangs */
async function readMemory(process: CrashedProcess, address: bigint, length: number): Promise<Buffer | undefined> {
  const fd = openSync(process.memory.path("mem"), "r");
  const buffer = Buffer.allocUnsafeSlow(length);
  const reading = readAt(fd, buffer, length, address).finally(() => closeSync(fd));
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), STALL_MS);
  });
  try {
    const got = await Promise.race([reading, stalled]);
    return got === undefined ? undefined : buffer.subarray(0, got);
  } finally {
    clearTimeout(timer);
    reading.catch(() => undefined);
  }
}
