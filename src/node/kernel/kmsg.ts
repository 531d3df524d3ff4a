/**
 * Dumps that the kernel gave up without calling us leave one line in its log, and nothing else.
 *
 * Since Linux 6.12 a line is `coredump: <pid>(<comm>): <text>`; before, each text had a form of its own (fs/coredump.c).
 * All are rate-limited, and the log is a ring: what is found here is the least there was. The pid is the one in the
 * process's own pid namespace. The handler itself leaves a line when it could not even keep a record.
 */
import { closeSync, constants, openSync, readSync } from "node:fs";
import { errnoOf } from "../../domain/failures.ts";
import { textOf } from "../../domain/text.ts";

export type RefusalCause =
  | "pipe-limit" // core_pipe_limit dumps at once
  | "rlimit-1" // RLIMIT_CORE 1: how the kernel marks a handler, so that its own crash does not recurse
  | "exec-failed" // no such file, not executable, noexec, SELinux, CONFIG_STATIC_USERMODEHELPER
  | "bad-pattern"
  | "no-memory"
  | "file" // a file pattern that was refused
  | "socket" // nothing listens there, or its queue is full
  | "handler"; // ours: nothing could be kept

export interface KernelRefusal {
  /** The line's number since boot, where it came from the device: the same line is never counted twice. */
  readonly seq: number | null;
  readonly uptimeUsec: number;
  /** As near as the log's clock tells: it stands still while the machine is suspended. */
  readonly time: Date;
  /** In the process's own pid namespace; null where the line does not say. */
  readonly pid: number | null;
  /** In the initial pid namespace; only our own lines say that. */
  readonly hostPid: number | null;
  /** Chosen by the process: print it through `printable()`. */
  readonly comm: string | null;
  readonly cause: RefusalCause;
  readonly text: string;
}

export interface KernelLog {
  readonly refusals: readonly KernelRefusal[];
  /** Lines that the kernel says it left out (rate limit), or that were overwritten before we read them. */
  readonly incomplete: boolean;
}

/** The forms by what follows `coredump: <pid>(<comm>): `. */
const SINCE_6_12: readonly (readonly [RegExp, RefusalCause])[] = [
  [/^over core_pipe_limit/, "pipe-limit"],
  [/^RLIMIT_CORE is set to 1/, "rlimit-1"],
  [/^\|.* pipe failed$/, "exec-failed"],
  [/^Core dump to \|.* disabled$/, "exec-failed"],
  [/^format_corename failed/, "bad-pattern"],
  [/failed to allocate memory$/, "no-memory"],
  [/^[Tt]his process can only dump core to a fully qualified path/, "file"],
  [/^Core dump to .* aborted: /, "file"],
  [/^Coredump socket may not /, "bad-pattern"],
  [/^Coredump socket /, "socket"],
  [/^Core dump socket support /, "socket"],
];

/** The forms before, as a whole; a group named as the field it gives. */
const BEFORE_6_12: readonly (readonly [RegExp, RefusalCause])[] = [
  [/^Pid (?<pid>\d+)\((?<comm>.*)\) over core_pipe_limit$/s, "pipe-limit"],
  [/^Process (?<pid>\d+)\((?<comm>.*)\) has RLIMIT_CORE set to 1$/s, "rlimit-1"],
  [/^Core dump to \|.* (?:pipe failed|disabled)$/s, "exec-failed"],
  [/^format_corename failed$/, "bad-pattern"],
  [/^do_coredump failed to allocate memory$/, "no-memory"],
  [/^Pid (?<pid>\d+)\((?<comm>.*)\) can only dump core to fully qualified path!$/s, "file"],
  [/^Core dump to .* aborted: cannot preserve file (?:owner|permissions)$/s, "file"],
];

/** `lost dump of pid 7 (comm): why`, `lost dump of an unknown process: why`, `lost dump: why`. */
const OURS =
  /^coredump-detector: lost dump(?: of pid (?<hostPid>\d{1,10}) \((?<comm>.*)\)| of an unknown process)?: (?<text>.+)$/s;
const SUPPRESSED = /^\w*coredump\w*: \d+ callbacks suppressed$/;

/**
 * One record of /dev/kmsg (Documentation/ABI/testing/dev-kmsg): `prio,seq,usec,flags[,…];text\n KEY=value\n…`.
 * @param bootMs when the log's clock was 0, in ms since the epoch
 * @returns undefined for what is not a lost dump
 */
export function parseKmsg(record: string, bootMs: number): KernelRefusal | undefined {
  const match = /^(\d{1,10}),(\d{1,15}),(\d{1,15}),[^;]*;([^\n]*)/.exec(record);
  if (!match) return undefined;
  const [, prio = "", seq = "", usec = "", escaped = ""] = match;
  return refusalIn(
    { seq: Number(seq), prio: Number(prio), uptimeUsec: Number(usec), text: unescaped(escaped) },
    bootMs,
  );
}

/** A line of the log, wherever it was read. */
interface LogLine {
  readonly seq: number | null;
  readonly prio: number;
  readonly uptimeUsec: number;
  readonly text: string;
}

/** @returns undefined for what is not a lost dump. @param bootMs as `parseKmsg()` */
export function refusalIn({ seq, prio, uptimeUsec, text }: LogLine, bootMs: number): KernelRefusal | undefined {
  // Facility 0 is the kernel's, and no process can write with it: a process cannot make up a lost dump.
  const found = prio < 8 ? kernelLine(text) : handlerLine(text);
  return found && { seq, uptimeUsec, time: new Date(bootMs + uptimeUsec / 1000), ...found };
}

/** Whether the kernel says that it left such lines out. */
export const isSuppression = (text: string): boolean => SUPPRESSED.test(text);

type Found = Pick<KernelRefusal, "pid" | "hostPid" | "comm" | "cause" | "text">;

function kernelLine(line: string): Found | undefined {
  // The last `): ` that a known text follows: a comm may hold one of its own.
  for (let at = line.startsWith("coredump: ") ? line.indexOf("): ") : -1; at >= 0; at = line.indexOf("): ", at + 1)) {
    const text = line.slice(at + 3);
    const [, pid, comm = ""] = /^coredump: (\d{1,10})\((.*)$/s.exec(line.slice(0, at)) ?? [];
    const cause = SINCE_6_12.find(([form]) => form.test(text))?.[1];
    if (pid !== undefined && cause) return { pid: Number(pid), hostPid: null, comm, cause, text };
  }
  for (const [form, cause] of BEFORE_6_12) {
    const match = form.exec(line);
    if (!match) continue;
    const { pid, comm } = match.groups ?? {};
    return { pid: pid === undefined ? null : Number(pid), hostPid: null, comm: comm ?? null, cause, text: line };
  }
  return undefined;
}

function handlerLine(line: string): Found | undefined {
  const { hostPid, comm, text } = OURS.exec(line)?.groups ?? {};
  if (text === undefined) return undefined;
  return {
    pid: null,
    hostPid: hostPid === undefined ? null : Number(hostPid),
    comm: comm ?? null,
    cause: "handler",
    text,
  };
}

/** The log gives control characters, bytes above ASCII and backslashes as `\xNN`. */
const unescaped = (text: string): string =>
  textOf(
    Buffer.from(
      text.replace(/\\x([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
      "latin1",
    ),
  );

/** More than any record has (PRINTK_MESSAGE_MAX is 2048). */
const RECORD_BYTES = 16384;

/**
 * The whole log, read to its end without waiting.
 * @throws the errno of open(2): EPERM where dmesg_restrict keeps it from us, ENOENT in a container without the device
 */
export function readKmsg(path = "/dev/kmsg"): KernelLog {
  using log = new Kmsg(path);
  return log.read();
}

/** The log from its first line on, as it grows: each read gives what has come since the last one. */
export class Kmsg implements Disposable {
  readonly #fd: number;

  /** @throws the errno of open(2), as `readKmsg()` */
  constructor(path = "/dev/kmsg") {
    this.#fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  }

  read(): KernelLog {
    return collect(() => nextRecord(this.#fd), bootTimeMs());
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** When the log's clock (CLOCK_MONOTONIC, or near it) was 0. */
export const bootTimeMs = (): number => Date.now() - Number(process.hrtime.bigint() / 1_000_000n);

/** A record; `overwritten` where the ring went over us; undefined at the end. */
type KmsgRead = string | { readonly overwritten: true } | undefined;

/** What the records of a log come to. */
export function collect(next: () => KmsgRead, bootMs: number): KernelLog {
  const refusals: KernelRefusal[] = [];
  let incomplete = false;
  for (let record = next(); record !== undefined; record = next()) {
    if (typeof record !== "string") {
      incomplete = true;
      continue;
    }
    const refusal = parseKmsg(record, bootMs);
    if (refusal) refusals.push(refusal);
    else incomplete ||= isSuppression(record.slice(record.indexOf(";") + 1).split("\n")[0] ?? "");
  }
  return { refusals, incomplete };
}

const buffer = Buffer.alloc(RECORD_BYTES);

function nextRecord(fd: number): KmsgRead {
  try {
    const length = readSync(fd, buffer, 0, RECORD_BYTES, null);
    return length > 0 ? buffer.toString("latin1", 0, length) : undefined;
  } catch (error) {
    if (errnoOf(error) === "EPIPE") return { overwritten: true };
    if (errnoOf(error) === "EAGAIN") return undefined;
    throw error;
  }
}
