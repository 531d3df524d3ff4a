/**
 * The crashed process, held by the kernel until we close the pipe: its facts, read once, and the proof that they are its.
 */

import { closeSync, openSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { KernelArguments } from "../../config/options.ts";
import { DumpError } from "../../domain/failures.ts";
import { textOf } from "../../domain/text.ts";
import { formatBytes } from "../../domain/units.ts";
import { inUtsNamespace } from "../../system/ffi.ts";
import { PROC_FILE_BYTES, ProcDirectory, startTicks, statusField } from "../../system/proc.ts";

/**
 * Files kept beside the core, as they are, and how much of each where that is more than PROC_FILE_BYTES: a process can make
 * some of them gigabytes long (prctl(2), PR_SET_MM_MAP; mmap(2) of a file with a long path). `environ` is added only on
 * request. Order: what identifies first, because with core_pipe_limit 0 the process may vanish while we read.
 */
const FACTS: Readonly<Record<string, number | undefined>> = {
  stat: undefined,
  status: undefined,
  cgroup: undefined,
  comm: undefined,
  mountinfo: 4 << 20,
  limits: undefined,
  cmdline: 128 << 10,
  auxv: undefined,
  maps: 32 << 20,
  coredump_filter: undefined, // a process has it, its threads have none: not known where the first has ended
  uid_map: undefined,
  gid_map: undefined,
  oom_score_adj: undefined,
};
const LINKS = ["exe", "cwd", "root", "ns/mnt", "ns/pid", "ns/net", "ns/user", "ns/uts", "ns/ipc", "ns/cgroup"];
/** These need the process's memory, which a leader that has exited has not got: its crashed thread still has. */
const OF_MEMORY = new Set(["cmdline", "auxv", "maps", "exe", "environ", "mountinfo", "cwd", "root"]);

export interface CrashedProcess extends Disposable {
  /** Raw bytes by name; links hold their target. */
  readonly facts: ReadonlyMap<string, Buffer>;
  /** Facts that are longer than what is read of them, in words. */
  readonly cut: readonly string[];
  /** UTS name as the process saw it. */
  readonly hostname: string | undefined;
  /** The process or thread of `memory`, in the initial pid namespace. */
  readonly pid: number;
  /** The directory that memory is read from: the crashed thread's, where it is known. */
  readonly memory: ProcDirectory;
  readonly main: ProcDirectory;
  /** Whether the directory still names the process that was verified. */
  unchanged(): boolean;
}

/**
 * Opens /proc/P once and reads the facts.
 *
 * @throws DumpError PROCESS_GONE when there is no such process (any more); PROCESS_MISMATCH when what is there cannot be
 *         the crashed one. In both cases the core is kept; only nothing may be said of whose it is.
 */
export function openCrashedProcess(
  call: KernelArguments & { hostPid: number },
  environ: boolean,
  proc = "/proc",
): CrashedProcess {
  const main = open(`${proc}/${call.hostPid}`);
  const memory = threadOf(main, call.hostTid) ?? main;
  const dispose = () => {
    if (memory !== main) memory[Symbol.dispose]();
    main[Symbol.dispose]();
  };
  const facts = new Map<string, Buffer>();
  const cut: string[] = [];
  for (const name of [...Object.keys(FACTS), ...(environ ? ["environ"] : [])]) {
    const mostBytes = FACTS[name] ?? PROC_FILE_BYTES;
    const file = source(name).readUpTo(name, mostBytes);
    const useless = file?.cut && name === "maps"; // memory is copied by all of them or by none
    if (!useless) put(facts, name, file?.bytes);
    if (file?.cut)
      cut.push(`its ${name} is longer than ${formatBytes(mostBytes)}: ${useless ? "not kept" : "cut there"}`);
  }
  for (const name of LINKS) put(facts, name, source(name).link(name));
  const problem = mismatch(facts, call, proc);
  const started = startTicks(facts.get("stat"));
  const unchanged = () => started !== undefined && startTicks(main.read("stat")) === started;
  if (problem || !unchanged()) {
    dispose();
    throw new DumpError(
      "PROCESS_MISMATCH",
      `Cannot trust /proc/${call.hostPid}: ${problem ?? "the process changed while it was read"}`,
    );
  }
  const pid = memory === main ? call.hostPid : (call.hostTid ?? call.hostPid);
  return { facts, cut, hostname: named(), pid, memory, main, unchanged, [Symbol.dispose]: dispose };

  function source(name: string): ProcDirectory {
    return OF_MEMORY.has(name) ? memory : main;
  }
  /** A recorded namespace cannot be entered: its name is recorded instead. */
  function named(): string | undefined {
    if (proc === "/proc") return utsName(main, facts);
    const recorded = main.read("hostname");
    return recorded && textOf(recorded).trim();
  }
}

function open(path: string): ProcDirectory {
  try {
    return new ProcDirectory(path);
  } catch (cause) {
    throw new DumpError("PROCESS_GONE", `Cannot open ${path}: the process is gone`, { cause });
  }
}

/** The crashed thread's directory *through* the process's own, so that it cannot be another process's thread. */
function threadOf(main: ProcDirectory, tid: number | undefined): ProcDirectory | undefined {
  if (tid === undefined) return undefined;
  try {
    return new ProcDirectory(main.path(`task/${tid}`));
  } catch {
    return undefined;
  }
}

function put(facts: Map<string, Buffer>, name: string, bytes: Buffer | undefined): void {
  if (bytes && bytes.length > 0) facts.set(name, bytes);
}

/** Why the facts cannot be the crashed process's, or undefined (kernel.md: CVE-2025-4598, CVE-2025-5054). */
function mismatch(facts: ReadonlyMap<string, Buffer>, call: KernelArguments, proc: string): string | undefined {
  const status = facts.get("status");
  const started = startTicks(facts.get("stat"));
  const ownStart = startTicks(readFileSync("/proc/self/stat"));
  if (!status || started === undefined) return "its status cannot be read";
  if (proc === "/proc" && ownStart !== undefined && started > ownStart) return "it started after the dump";
  if (statusField(status, "CoreDumping") === "0") return "it is not dumping core"; // the field is there since 4.15
  if (differs(statusField(status, "Uid"), call.uid)) return `its uid is not ${call.uid}`;
  if (differs(statusField(status, "Gid"), call.gid)) return `its gid is not ${call.gid}`;
  return call.pidfd === undefined || proc !== "/proc" ? undefined : pidfdMismatch(call.pidfd, call.hostPid);
}

const differs = (ids: string | undefined, real: number | undefined): boolean =>
  real !== undefined && ids !== undefined && Number(ids.split("\t")[0]) !== real;

/** %F: a pidfd of the crashed process, inherited (6.16). Its fdinfo names the pid, or -1 once that was reaped. */
function pidfdMismatch(pidfd: number, pid: number | undefined): string | undefined {
  try {
    const named = statusField(readFileSync(`/proc/self/fdinfo/${pidfd}`), "Pid");
    return named === undefined || Number(named) === pid ? undefined : `the pidfd names ${named}`;
  } catch {
    return undefined; // no such descriptor: an old kernel, or a foreign pattern
  }
}

/** What %h would have said: the host name in the process's own UTS namespace. */
function utsName(main: ProcDirectory, facts: ReadonlyMap<string, Buffer>): string | undefined {
  try {
    using own = new ProcDirectory(`/proc/${process.pid}`);
    if (own.link("ns/uts")?.equals(facts.get("ns/uts") ?? Buffer.alloc(0))) return hostname();
    const [theirs, ours] = [openSync(main.path("ns/uts"), "r"), openSync("/proc/self/ns/uts", "r")];
    let name: string | undefined;
    inUtsNamespace(theirs, ours, () => {
      name = hostname();
    });
    closeSync(theirs);
    closeSync(ours);
    return name;
  } catch {
    return undefined;
  }
}
