/** A crashed process as its core shows it: threads with their registers, mapped files, memory. */
import type { ReadAt } from "../elf/bytes.ts";
import { type Checked, fieldsOf, refuse } from "../elf/bytes.ts";
import { auxvIn, type FileMapping, fileMappingsIn, MAX_FILE_NOTE_BYTES, NT_AUXV, NT_FILE } from "../elf/file-note.ts";
import { layoutOf } from "../elf/layout.ts";
import type { Note } from "../elf/notes.ts";
import { walkNotes } from "../elf/notes.ts";
import { PT_NOTE } from "../elf/program-headers.ts";
import { MAX_PRPSINFO_BYTES, processIn, signalIn, threadIn } from "../elf/structures.ts";
import { type Arch, archOf, type Registers, registersIn } from "./arch.ts";
import { type AtAddress, Segments } from "./memory.ts";

export interface ThreadState {
  readonly tid: number;
  readonly signal: number;
  readonly registers: Registers;
  /** Where thread-local data begin; what Go's g hangs on. */
  readonly tls: bigint | undefined;
  /** NT_ARM_PAC_MASK: bits of an instruction address that are its signature. */
  pacMask: bigint | undefined;
}

export interface CrashSignal {
  readonly number: number;
  readonly code: number;
  /** si_addr of a fault; si_pid lies in the same place of a signal that was sent. */
  readonly address: bigint;
  /** si_pid where a process sent it. */
  readonly sender: number;
}

/** All that unwinding needs; a core is one source of it. */
export interface ProcessState {
  readonly arch: Arch;
  /** The one that crashed first; at most MAX_HELD_THREADS. */
  readonly threads: readonly ThreadState[];
  readonly signal: CrashSignal | undefined;
  readonly pid: number | undefined;
  /** By address. */
  readonly mappings: readonly FileMapping[];
  readonly auxv: ReadonlyMap<number, bigint>;
  /** pr_fname. */
  readonly comm: Uint8Array;
  readonly segments: Segments;
  readonly core: AtAddress;
}

const [NT_PRSTATUS, NT_PRPSINFO, NT_SIGINFO, NT_ARM_PAC_MASK] = [1, 3, 0x53494749, 0x406];
const SI_KERNEL = 128;
const MAX_HELD_THREADS = 4096;
const MAX_REGISTER_BYTES = 1024;

/** @param read reaches as much of the core as there is: it may be cut short */
export function processOf(read: ReadAt): Checked<{ readonly process: ProcessState }> {
  const layout = layoutOf(read);
  if (!layout.ok) return layout;
  const arch = archOf(layout.header);
  if (!arch)
    return refuse(
      `stacks of this processor (ELF machine ${layout.header.machine}, ${layout.header.bits} bits) are not read`,
    );
  const notes = new Notes(arch);
  for (const segment of layout.headers) {
    if (segment.type !== PT_NOTE) continue;
    walkNotes(read, segment, layout.header, (note) => notes.take(note));
    break; // no producer of cores writes two
  }
  if (notes.threads.length === 0) return refuse("it holds no registers");
  const segments = new Segments(layout);
  const core = segments.reader(read);
  const known = notes.known();
  const mappings = known.mappings.length > 0 ? known.mappings : executableOnly(known.auxv, segments, core);
  return { ok: true, process: { ...known, mappings, arch, segments, core } };
}

const [AT_PHDR, AT_EXECFN, MAX_PATH_BYTES] = [3, 31, 4096];

/**
 * Cores without NT_FILE (qemu's, a kernel's before 3.7): the kernel told the program where its own headers lie. Its segments follow one
 * another there as in the file.
 */
function executableOnly(auxv: ReadonlyMap<number, bigint>, segments: Segments, core: AtAddress): FileMapping[] {
  const first = segments.at(auxv.get(AT_PHDR) ?? 0n);
  const name = core(auxv.get(AT_EXECFN) ?? 0n, MAX_PATH_BYTES);
  const length = name.indexOf(0);
  if (!first || length <= 0) return [];
  let { end } = first;
  for (let next = segments.at(end); next; next = segments.at(end)) end = next.end;
  return [{ start: first.start, end, offsetBytes: 0n, path: Buffer.from(name.subarray(0, length)).toString("latin1") }];
}

class Notes {
  readonly #arch: Arch;
  readonly #abi: { readonly bits: 32 | 64; readonly littleEndian: true };
  readonly threads: ThreadState[] = [];
  #signal: CrashSignal | undefined;
  #process: { pid: number; comm: Uint8Array } | undefined;
  #mappings: FileMapping[] = [];
  #auxv: ReadonlyMap<number, bigint> = new Map();

  constructor(arch: Arch) {
    this.#arch = arch;
    this.#abi = { bits: arch.bits, littleEndian: true };
  }

  take(note: Note): void {
    if (note.name === "LINUX" && note.type === NT_ARM_PAC_MASK) this.#pac(note.desc(16));
    if (note.name !== "CORE") return;
    if (note.type === NT_PRSTATUS && this.threads.length < MAX_HELD_THREADS)
      this.#thread(note.desc(MAX_REGISTER_BYTES));
    if (note.type === NT_PRPSINFO && note.descBytes <= MAX_PRPSINFO_BYTES)
      this.#process ??= processIn(note.desc(note.descBytes), this.#abi);
    if (note.type === NT_SIGINFO) this.#signal ??= signalOf(note.desc(128), this.#abi);
    if (note.type === NT_AUXV) this.#auxv = auxvIn(note.desc(4096), this.#abi);
    if (note.type !== NT_FILE) return;
    const mappings = fileMappingsIn(note.desc(Math.min(note.descBytes, MAX_FILE_NOTE_BYTES)), this.#abi);
    this.#mappings = mappings.sort((a, b) => (a.start < b.start ? -1 : 1));
  }

  #thread(desc: Uint8Array): void {
    const { prstatus, tls, bits } = this.#arch;
    const thread = threadIn(desc, this.#abi);
    const registers = registersIn(this.#arch, prstatus.order, desc.subarray(prstatus.at));
    if (!thread || !registers) return;
    const tlsAt = prstatus.at + ((tls ?? 0) * bits) / 8;
    const base = tls !== undefined && desc.length >= tlsAt + 8 ? fieldsOf(desc, this.#abi).word(tlsAt) : undefined;
    this.threads.push({ ...thread, registers, tls: base, pacMask: undefined });
  }

  /** Without NT_SIGINFO (qemu) the number alone is known. */
  #unexplained(): CrashSignal | undefined {
    const number = this.threads[0]?.signal;
    return number ? { number, code: SI_KERNEL, address: 0n, sender: 0 } : undefined;
  }

  /** It follows the NT_PRSTATUS of its thread: data mask, instruction mask. */
  #pac(desc: Uint8Array): void {
    const thread = this.threads.at(-1);
    if (thread && desc.length === 16) thread.pacMask = fieldsOf(desc, this.#abi).word(8);
  }

  known() {
    return {
      threads: this.threads,
      signal: this.#signal ?? this.#unexplained(),
      pid: this.#process?.pid,
      comm: this.#process?.comm ?? new Uint8Array(),
      mappings: this.#mappings,
      auxv: this.#auxv,
    };
  }
}

function signalOf(desc: Uint8Array, abi: { bits: 32 | 64; littleEndian: boolean }): CrashSignal | undefined {
  const info = signalIn(desc, abi);
  if (!info) return undefined;
  return { ...info, sender: fieldsOf(desc, abi).i32(abi.bits === 64 ? 16 : 12) };
}
