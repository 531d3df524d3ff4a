/**
 * Copies the core's segments straight from the process's memory, which the kernel holds still for us.
 *
 * Byte for byte what the kernel would send: /proc/P/mem reads what get_dump_page() reads (fs/coredump.c,
 * dump_user_range), and pages that it would skip are holes here. Whatever it cannot vouch for ends in `Doubt`, with the
 * offset up to which the core is certain: the pipe still has all of it.
 */
import { closeSync, openSync, readSync } from "node:fs";
import type { DirectPlan } from "../../crash/elf/segments.ts";
import { reasonOf } from "../../domain/failures.ts";
import { readAt } from "../../system/io.ts";
import { statusField } from "../../system/proc.ts";
import { ProcessReader, sharesMemory } from "../../system/process-memory.ts";
import { refusedRead } from "../../system/ptrace.ts";
import type { CrashedProcess } from "./crashed-process.ts";
import type { Mappings } from "./memory-map.ts";
import { type Run, runsOf, type Sizes } from "./pages.ts";
import { CannotKeep, type SparseFile } from "./sparse-file.ts";

/** Two reads in flight: one alone is slower than the pipe, more only take memory. */
const WORKERS = 2;
/**
 * A read may wait for a page that never comes (userfaultfd(2), a dead FUSE server). Longer than most disks make
 * swapped pages wait; where one takes longer the pipe brings the same.
 */
const STALL_MS = 3000;

/** The memory cannot be read with certainty; bytes before `certainBytes` of the core are written. */
export interface Doubt {
  readonly why: string;
  readonly certainBytes: bigint;
  /** A read that never came back holds a thread: the process can only be ended hard. */
  readonly stalled: boolean;
}

/**
 * @param mappings  all of the process's
 * @returns undefined when all of it is in the file
 * @throws CannotKeep when the disk or the limits say no
 */
export async function copyDirectly(
  process: CrashedProcess,
  mappings: Mappings,
  { prefixBytes, segments }: DirectPlan,
  file: SparseFile,
  sizes: Sizes,
): Promise<Doubt | undefined> {
  const fds: number[] = [];
  try {
    const mem = opened("mem");
    const pagemap = opened("pagemap");
    const comm = opened("comm");
    const readPagemap = async (entries: Uint32Array, page: bigint, count: number) =>
      Math.floor((await readAt(pagemap, new Uint8Array(entries.buffer), count * 8, page * 8n)) / 8);
    const runs = runsOf(segments, mappings, readPagemap, sizes);
    return await copyRuns({ mem, comm, reader: readerOf(process) }, runs, sizes.runBytes, file);
  } catch (error) {
    if (error instanceof CannotKeep) throw error;
    return { why: refusedRead(error) ?? reasonOf(error), certainBytes: prefixBytes, stalled: false };
  } finally {
    for (const fd of fds) closeSync(fd);
  }

  function opened(name: string): number {
    const fd = openSync(process.memory.path(name), "r");
    fds.push(fd);
    return fd;
  }
}

/**
 * A process that shares the memory and lives on could take a page away while this thread reads it, and nothing would bring it
 * back (userfaultfd(2)). Then everything is read by threads that may hang: the pipe takes over.
 */
function readerOf({ pid, facts }: CrashedProcess): ProcessReader | undefined {
  const processPid = Number(statusField(facts.get("status"), "Tgid") ?? pid);
  return sharesMemory(pid, processPid) ? undefined : new ProcessReader(pid);
}

/** Two ways to the same memory: a descriptor that is bound to it, and the pid while it is. */
interface MemoryAccess {
  readonly mem: number;
  /** Of /proc/P/comm: it answers for as long as the pid is its own. */
  readonly comm: number;
  readonly reader: ProcessReader | undefined;
}

async function copyRuns(
  memory: MemoryAccess,
  runs: AsyncGenerator<Run, void>,
  runBytes: number,
  file: SparseFile,
): Promise<Doubt | undefined> {
  const doubts: Doubt[] = [];
  const watch = new StallWatch();
  const readNow = nowReader(memory);
  const worker = async () => {
    const buffer = Buffer.allocUnsafeSlow(runBytes);
    for (let run = await runs.next(); !run.done && doubts.length === 0 && !file.failure; run = await runs.next()) {
      const { value } = run;
      const problem = readNow(value, buffer) ? undefined : await readRun(memory.mem, value, buffer, watch);
      if (problem) return void doubts.push({ ...problem, certainBytes: value.offsetBytes });
      zeroBetween(value, buffer);
      await file.write(buffer, value.length, value.offsetBytes);
    }
  };
  try {
    const ends = await Promise.allSettled(Array.from({ length: WORKERS }, worker));
    const doubt = lowestOf(doubts);
    const failed = ends.find((end) => end.status === "rejected");
    if (!failed) return doubt;
    if (!(failed.reason instanceof CannotKeep)) throw failed.reason;
    if (doubt && doubt.certainBytes < failed.reason.atBytes) return doubt; // the core is certain up to there only
    throw failed.reason;
  } finally {
    watch.end();
  }
}

/** The workers' doubts as one: certain is what lies before all of them. */
function lowestOf(doubts: readonly Doubt[]): Doubt | undefined {
  const [lowest] = doubts.toSorted((a, b) => (a.certainBytes < b.certainBytes ? -1 : 1));
  return lowest && { ...lowest, stalled: doubts.some(({ stalled }) => stalled) };
}

/**
 * Reads a run at once, when nothing in it can wait; false leaves it to `readRun`. The pid may have been reused since the
 * process was looked at; that its own /proc entry still answers afterwards shows that it was not. (Its memory would be no
 * proof: a process that shares it, which the kernel does not end with this one since 5.16, keeps it alive.)
 */
function nowReader({ comm, reader }: MemoryAccess): (run: Run, buffer: Buffer) => boolean {
  const one = Buffer.alloc(1);
  return ({ alone, vaddr, pieces }, buffer) => {
    if (!alone || !reader?.read(buffer, vaddr, pieces)) return false;
    return answers(comm, one);
  };
}

function zeroBetween({ pieces, length }: Run, buffer: Buffer): void {
  let end = 0;
  for (const piece of pieces) {
    if (piece.at > end) buffer.fill(0, end, piece.at);
    end = piece.at + piece.length;
  }
  if (length > end) buffer.fill(0, end, length);
}

function answers(fd: number, one: Buffer): boolean {
  try {
    return readSync(fd, one, 0, 1, 0) === 1;
  } catch {
    return false; // ESRCH
  }
}

/**
 * The pieces of a run into the buffer, or why not. /proc/P/mem takes no more hold of a page than the kernel's own dump does
 * (FOLL_GET, as get_dump_page()): nothing is copied in the process. A read of 0 bytes means that the memory is gone.
 */
async function readRun(
  mem: number,
  { vaddr, pieces }: Run,
  buffer: Buffer,
  watch: StallWatch,
): Promise<Omit<Doubt, "certainBytes"> | undefined> {
  try {
    for (const piece of pieces) {
      const end = piece.at + piece.length;
      for (let at = piece.at; at < end; ) {
        const bytes = await watch.over(readAt(mem, buffer.subarray(at, end), end - at, vaddr + BigInt(at)));
        if (bytes === "stalled") return { why: `reading memory at 0x${vaddr.toString(16)} hangs`, stalled: true };
        if (bytes === 0) return { why: "the process's memory is gone", stalled: false };
        at += bytes;
      }
    }
    return undefined;
  } catch (error) {
    return { why: `memory at 0x${vaddr.toString(16)} cannot be read: ${reasonOf(error)}`, stalled: false };
  }
}

/** Ends waits that last longer than `STALL_MS`; one timer for all of them. */
class StallWatch {
  readonly #waits = new Map<(stalled: "stalled") => void, number>();
  readonly #timer = setInterval(() => this.#look(), STALL_MS / 4);

  over(read: Promise<number>): Promise<number | "stalled"> {
    return new Promise((resolve, reject) => {
      this.#waits.set(resolve, performance.now());
      read.then(resolve, reject).finally(() => this.#waits.delete(resolve));
    });
  }

  #look(): void {
    for (const [give, since] of this.#waits) if (performance.now() - since > STALL_MS) give("stalled");
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
