/**
 * The core into the file, by whichever way is quicker and certain.
 *
 *   pipe ──head──> limits asked ──> direct: memory ──────────────> file
 *                        │             │ any doubt: from that byte on
 *                        └── drain: pipe ────────────────────────> file
 */
import { readFileSync } from "node:fs";
import { fileReader } from "../../crash/elf/file-reader.ts";
import type { Truncation } from "../../domain/dump.ts";
import type { CrashedProcess } from "./crashed-process.ts";
import { copyDirectly, type Doubt } from "./direct.ts";
import { drain } from "./drain.ts";
import type { CoreHead } from "./head.ts";
import { isVsyscallWithoutPage, Mappings } from "./memory-map.ts";
import { memoryRoom } from "./memory-room.ts";
import { runBytesFor } from "./pages.ts";
import type { CorePipe } from "./pipe.ts";
import { difference, isAsBefore, segmentsAreMappings } from "./same-process.ts";
import { CannotKeep, PAGE_BYTES, type SparseFile } from "./sparse-file.ts";

export interface Received {
  readonly capture: "drain" | "direct";
  /** Set when we stopped; a stream that ended early is found by comparing sizes. */
  readonly truncation: Truncation | undefined;
  /** Bytes of the core that arrived, counted from its first. */
  readonly sizeBytes: bigint;
  /** Why the memory was not read, or not to the end, where it was to be. */
  readonly doubt: string | undefined;
  readonly stalled: boolean;
  /** Why the core is another process's than the one that /proc showed: nothing that was read there is true of it. */
  readonly foreign: string | undefined;
}

/**
 * Never throws for what the process, the pipe or the disk do: what could be kept is kept and said.
 *
 * @param process  undefined when its /proc entry could not be had or trusted; then the pipe is all there is
 */
export async function receive(
  pipe: CorePipe,
  head: CoreHead,
  file: SparseFile,
  process: CrashedProcess | undefined,
  how: "auto" | "drain" | "direct",
): Promise<Received> {
  let doubt: Doubt | undefined;
  try {
    doubt = await copyHeadAndMemory(pipe, head, file, how === "drain" ? undefined : process);
    if (doubt) {
      file.setLength(doubt.certainBytes); // what was written after it must not show where the stream has holes
      pipe.enlarge(process && memoryRoom(process.facts.get("cgroup") ?? Buffer.alloc(0)));
      await drain(pipe, file, doubt.certainBytes);
    }
  } catch (error) {
    if (!(error instanceof CannotKeep)) throw error;
  }
  const different = process && head.table && difference(fileReader(file.fd), head.table, process);
  const certain = doubt?.certainBytes ?? head.expectedBytes ?? 0n;
  // A process killed while its memory was read cuts the pipe short after what is certain already.
  const arrived = pipe.positionBytes > certain ? pipe.positionBytes : certain;
  const sizeBytes = file.setLength(file.failure && file.failure.atBytes < arrived ? file.failure.atBytes : arrived);
  return {
    capture: doubt || how === "drain" || !head.plan ? "drain" : "direct",
    truncation: file.failure?.truncation,
    sizeBytes,
    doubt: how === "drain" ? undefined : doubt?.why,
    stalled: doubt?.stalled ?? false,
    foreign: different?.foreign ? different.why : undefined,
  };
}

/** @returns undefined when all of the core is in the file; else why not, and from where on the pipe is needed */
async function copyHeadAndMemory(
  pipe: CorePipe,
  head: CoreHead,
  file: SparseFile,
  process?: CrashedProcess,
): Promise<Doubt | undefined> {
  await file.write(head.bytes, head.bytes.length, 0n);
  const { plan, table } = head;
  const doubt = (why: string, certainBytes = pipe.positionBytes): Doubt => ({ why, certainBytes, stalled: false });
  if (!plan || !table) return doubt(head.noPlan ?? "");
  const maps = process?.facts.get("maps");
  if (!process || !maps) return doubt("the process's memory cannot be reached, or not all of its mappings be read");
  if (!plan.high.every(({ vaddr }) => isVsyscallWithoutPage(maps, vaddr)))
    return doubt("it has memory beyond what can be addressed");
  await drain(pipe, file, 0n, plan.prefixBytes);
  if (pipe.positionBytes < plan.prefixBytes) return doubt("the stream ended early");
  const different = difference(fileReader(file.fd), table, process);
  if (different) return doubt(different.why);
  const mappings = new Mappings(maps);
  if (!segmentsAreMappings(plan.segments, mappings)) return doubt("its mappings are not the core's segments");
  if (!process.unchanged()) return doubt("the process is gone");
  const sizes = { pageBytes: pageBytes(), runBytes: runBytesFor(table.expectedBytes) };
  const end = await copyDirectly(process, mappings, plan, file, sizes);
  if (end) return end;
  if (!process.unchanged()) return doubt("the process is gone", plan.prefixBytes);
  return isAsBefore(process) ? undefined : doubt("its memory was changed meanwhile", plan.prefixBytes);
}

const AT_PAGESZ = 6n;

/** The machine's page size; pagemap has one entry for each. From our own auxv: a process can forge its own (prctl(2)). */
function pageBytes(): number {
  const auxv = readFileSync("/proc/self/auxv");
  for (let at = 0; at + 16 <= auxv.length; at += 16) {
    if (auxv.readBigUInt64LE(at) === AT_PAGESZ) return Number(auxv.readBigUInt64LE(at + 8));
  }
  return PAGE_BYTES;
}
