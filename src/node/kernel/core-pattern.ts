/**
 * The kernel's three settings of core dumping, and the pattern that makes it call us.
 *
 * A value counts only when it was read back: the kernel cuts a long pattern without a word, and some versions accept a
 * malformed one (it then fails at the crash).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { DumpError, errnoOf, reasonOf } from "../../domain/failures.ts";
import { textOf } from "../../domain/text.ts";

/** CORENAME_MAX_SIZE is 128 with the closing NUL (include/linux/binfmts.h). */
export const PATTERN_MAX_BYTES = 127;

/** Our executable's name, wherever it is: a pattern that runs it is ours, an older version's and a predecessor's too. */
export const BINARY_NAME = "coredump-detector";

/**
 * core(5) specifiers with the letters that `KERNEL_OPTIONS` gives them. The name comes last: kernels before 5.3 split the
 * pattern after they have put it in, and then all that follows `-e=` is the name (see `parseKernelCall()`).
 */
const TEMPLATE = "-P=%P -p=%p -t=%t -s=%s -T=%I -u=%u -g=%g -D=%d -l=%c";
const PIDFD = " -F=%F";
const NAME = " -e=%e";

/** `[6, 18]` of `6.18.44-foo`; `[0, 0]` of what is not a release, so that nothing is taken for supported. */
export function kernelVersion(release: string): readonly [major: number, minor: number] {
  const match = /^(\d{1,4})\.(\d{1,4})/.exec(release);
  return [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
}

export function kernelIsAtLeast(release: string, major: number, minor: number): boolean {
  const [a, b] = kernelVersion(release);
  return a > major || (a === major && b >= minor);
}

/**
 * The pattern that calls `binary`; with the pidfd where the kernel has one (%F, Linux 6.16).
 * @throws DumpError PATTERN_REFUSED when the kernel could not hold it or would read another path out of it
 */
export function patternFor(binary: string, kernelRelease: string): string {
  // The kernel splits at white space and expands %; it knows no quotes.
  if (!/^\/[\x21-\x7e]+$/.test(binary) || binary.includes("%")) {
    throw new DumpError(
      "PATTERN_REFUSED",
      `Cannot put ${JSON.stringify(binary)} into core_pattern: not a plain absolute path`,
      {
        hint: "Choose a --bin-dir without spaces, % and other than ASCII characters",
      },
    );
  }
  const pattern = `|${binary} ${TEMPLATE}${kernelIsAtLeast(kernelRelease, 6, 16) ? PIDFD : ""}${NAME}`;
  if (pattern.length <= PATTERN_MAX_BYTES) return pattern;
  const room = PATTERN_MAX_BYTES - (pattern.length - binary.length);
  throw new DumpError(
    "PATTERN_REFUSED",
    `Cannot set a core_pattern of ${pattern.length} bytes: the kernel keeps ${PATTERN_MAX_BYTES}`,
    {
      hint: `Choose a --bin-dir so that ${basename(binary)} and its directory take ${room} bytes at the most`,
    },
  );
}

export type PatternOwner = "ours" | "systemd-coredump" | "apport" | "abrt" | "file" | "socket" | "none" | "other";

/** The program that a pipe pattern runs, else undefined. */
export const programOf = (pattern: string): string | undefined => /^\|\s*(\S+)/.exec(pattern)?.[1];

/** Whose pattern this is. `binary` is our path, where it has another name. */
export function ownerOf(pattern: string, binary?: string): PatternOwner {
  if (pattern === "") return "none";
  if (pattern.startsWith("@")) return "socket";
  const program = programOf(pattern);
  if (program === undefined) return pattern.startsWith("|") ? "other" : "file";
  const name = basename(program);
  if (program === binary || name === BINARY_NAME) return "ours";
  if (name === "systemd-coredump" || name === "apport") return name;
  return name.startsWith("abrt") ? "abrt" : "other";
}

/** Which of the three, and how its value reads in /proc/sys. */
export const SETTINGS = {
  pattern: "kernel/core_pattern",
  pipeLimit: "kernel/core_pipe_limit",
  suidDumpable: "fs/suid_dumpable",
} as const;

export type Setting = keyof typeof SETTINGS;

/** @throws DumpError NOT_PERMITTED, SYSTEM_CALL_FAILED when there is no such file */
export function readSetting(setting: Setting, procSys = "/proc/sys"): string {
  try {
    return textOf(readFileSync(`${procSys}/${SETTINGS[setting]}`)).replace(/\n$/, "");
  } catch (error) {
    throw failure(`Cannot read ${SETTINGS[setting]}`, error);
  }
}

export const readPattern = (procSys?: string): string => readSetting("pattern", procSys);

/**
 * Writes, and reads back. What the kernel made something else of is undone.
 * @throws DumpError PATTERN_REFUSED when the kernel refused, cut or changed it; NOT_PERMITTED
 */
export function writeSetting(setting: Setting, value: string, procSys = "/proc/sys"): void {
  const path = `${procSys}/${SETTINGS[setting]}`;
  const before = readSetting(setting, procSys);
  const write = (text: string) => writeFileSync(path, `${text}\n`); // one write(2): a sysctl takes no second part
  try {
    write(value);
  } catch (error) {
    throw failure(`Cannot set ${SETTINGS[setting]} to ${JSON.stringify(value)}`, error);
  }
  const after = readSetting(setting, procSys);
  if (after === value) return;
  write(before);
  throw new DumpError(
    "PATTERN_REFUSED",
    `Cannot set ${SETTINGS[setting]} to ${JSON.stringify(value)}: it reads ${JSON.stringify(after)}`,
    {
      hint: `It was set back to ${JSON.stringify(before)}; see whether something else sets it at the same time`,
    },
  );
}

function failure(what: string, error: unknown): DumpError {
  const errno = errnoOf(error) ?? "";
  const why = reasonOf(error);
  if (["EACCES", "EPERM", "EROFS"].includes(errno)) {
    const hint = "It takes root on the host, or a privileged container with a writable /proc/sys";
    return new DumpError("NOT_PERMITTED", `${what}: ${why}`, { cause: error, hint });
  }
  return new DumpError(errno === "EINVAL" ? "PATTERN_REFUSED" : "SYSTEM_CALL_FAILED", `${what}: ${why}`, {
    cause: error,
  });
}
