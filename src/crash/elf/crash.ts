/**
 * What a core's notes say about the crash. The kernel writes them (fs/binfmt_elf.c, write_note_info): the state of the
 * thread that crashed, then process, signal, and the other threads. Ids are those of the process's own namespaces.
 */
import { hasFaultAddress } from "../../domain/signals.ts";
import type { ReadAt } from "./bytes.ts";
import type { ElfHeader } from "./header.ts";
import { type Note, walkNotes } from "./notes.ts";
import { type ProgramHeader, PT_NOTE } from "./program-headers.ts";
import {
  MAX_PRPSINFO_BYTES,
  PRSTATUS_BYTES,
  type ProcessInfo,
  processIn,
  SIGINFO_BYTES,
  type SignalInfo,
  signalIn,
  threadIn,
} from "./structures.ts";

export interface CrashFacts {
  readonly signal: number | null;
  /** si_code; see sigaction(2). */
  readonly code: number | null;
  /** si_addr, for faults only: a signal that was sent has none. */
  readonly faultAddress: bigint | null;
  /** The one that crashed first; the first MAX_THREADS of `threadCount`. */
  readonly threads: readonly { readonly tid: number }[];
  readonly threadCount: number;
  readonly process: ProcessInfo | null;
  /** Whether all notes were there; where not, `threadCount` is what was seen. */
  readonly complete: boolean;
}

export const MAX_THREADS = 256;

const NT_PRSTATUS = 1;
const NT_PRPSINFO = 3;
const NT_SIGINFO = 0x53494749;

/**
 * The facts out of a core's notes.
 * @param read reads the core; its notes lie before all memory, so that a cut-short core mostly has them
 * @param headers its program headers; the first PT_NOTE counts, because no producer of cores writes two
 */
export function readNotes(read: ReadAt, headers: Iterable<ProgramHeader>, header: ElfHeader): CrashFacts {
  const notes = new CrashNotes(header);
  const segment = Iterator.from(headers).find(({ type }) => type === PT_NOTE);
  return notes.facts(segment !== undefined && walkNotes(read, segment, header, (note) => notes.take(note)));
}

class CrashNotes {
  readonly #header: ElfHeader;
  readonly #threads: { tid: number }[] = [];
  #threadCount = 0;
  #cursig: number | undefined;
  #signal: SignalInfo | undefined;
  #process: ProcessInfo | undefined;

  constructor(header: ElfHeader) {
    this.#header = header;
  }

  take(note: Note): void {
    if (note.name !== "CORE") return;
    const { bits } = this.#header;
    if (note.type === NT_PRSTATUS) this.#thread(note);
    if (note.type === NT_PRPSINFO && note.descBytes <= MAX_PRPSINFO_BYTES) {
      this.#process ??= processIn(note.desc(note.descBytes), this.#header);
    }
    if (note.type === NT_SIGINFO) this.#signal ??= signalIn(note.desc(SIGINFO_BYTES[bits]), this.#header);
  }

  #thread(note: Note): void {
    this.#threadCount++;
    if (this.#threads.length === MAX_THREADS) return;
    const thread = threadIn(note.desc(PRSTATUS_BYTES[this.#header.bits]), this.#header);
    if (thread === undefined) return;
    this.#cursig ??= thread.signal;
    this.#threads.push({ tid: thread.tid });
  }

  facts(complete: boolean): CrashFacts {
    const info = this.#signal;
    return {
      signal: this.#cursig || info?.number || null,
      code: info?.code ?? null,
      faultAddress: info !== undefined && hasFaultAddress(info.number, info.code) ? info.address : null,
      threads: this.#threads,
      threadCount: this.#threadCount,
      process: this.#process ?? null,
      complete,
    };
  }
}
