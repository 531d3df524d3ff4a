/** `doctor`: core_pattern and its limits. */
import { ok, problem, type Step, warning } from "../install/step.ts";
import { ownerOf, PATTERN_MAX_BYTES, type PatternOwner, patternFor, programOf } from "../kernel/core-pattern.ts";

const WHOSE: Readonly<Record<Exclude<PatternOwner, "ours">, string>> = {
  "systemd-coredump": "systemd-coredump's",
  apport: "apport's",
  abrt: "abrt's",
  file: "a file pattern",
  socket: "a socket's",
  none: "empty",
  other: "another handler's",
};

/** @param binary where our handler is (to be) installed */
export function checkPattern(pattern: string, binary: string, kernelRelease: string): Step {
  const owner = ownerOf(pattern, binary);
  if (owner !== "ours") {
    const text = owner === "none" ? "empty: no core goes anywhere" : `${WHOSE[owner]}: ${pattern}`;
    return problem("pattern", text, "coredump-detector install");
  }
  const bytes = Buffer.byteLength(pattern);
  const length = `${bytes} of ${PATTERN_MAX_BYTES} bytes`;
  if (!/ (?:-P|--hostPid)=%P(?: |$)/.test(pattern)) {
    return problem("pattern", `ours, but without -P=%P: dumps cannot be told apart`, "coredump-detector install");
  }
  if (pattern !== patternFor(programOf(pattern) ?? binary, kernelRelease)) {
    return warning(
      "pattern",
      `ours, ${length}, but not as this version writes it: ${pattern}`,
      "coredump-detector install",
    );
  }
  return ok("pattern", `ours, ${length}`);
}

/**
 * In file mode there is no handler to look at, only what the kernel needs to write a file.
 * @param limits content of /proc/1/limits
 */
export function checkFileMode(pattern: string, filePattern: string, limits: string | undefined): [Step, ...Step[]] {
  if (pattern !== filePattern) {
    const text = `file mode, but ${pattern === "" ? "empty" : `it is ${pattern}`}, not ${filePattern}`;
    return [problem("pattern", text, "coredump-detector install")];
  }
  const [, soft] = /^Max core file size\s+(\S+)/m.exec(limits ?? "") ?? [];
  const well = ok("pattern", `file mode: the kernel writes ${filePattern}, and nothing is captured`);
  if (soft !== "0") return [well];
  const hint = "Raise LimitCORE= of the engine and of systemd (DefaultLimitCORE=), or take --mode=pipe";
  return [well, warning("rlimit", "RLIMIT_CORE of pid 1 is 0: who inherits that leaves no core", hint)];
}

interface LimitsReading {
  readonly pipeLimit: number;
  readonly suidDumpable: number;
}

export function checkLimits({ pipeLimit, suidDumpable }: LimitsReading, maxDumps: number): Step[] {
  const hint = "coredump-detector install";
  const found: Step[] = [];
  if (pipeLimit === 0) {
    const text = "core_pipe_limit 0: the kernel does not hold a crashed process, so it is not certain whose core it is";
    found.push(problem("limits", text, hint));
  } else if (pipeLimit <= maxDumps) {
    const text = `core_pipe_limit ${pipeLimit}, with --max-dumps ${maxDumps}: the kernel drops what should have waited`;
    found.push(warning("limits", text, hint));
  }
  if (suidDumpable === 0) {
    const text = "suid_dumpable 0: a process that changed its ids leaves no dump and no trace";
    found.push(problem("limits", text, hint));
  } else if (suidDumpable === 1) {
    const text =
      "suid_dumpable 1: set-uid programs count as ordinary ones, and their memory goes to the users who ran them";
    found.push(warning("limits", text, hint));
  }
  if (found.length > 0) return found;
  return [ok("limits", `core_pipe_limit ${pipeLimit}, suid_dumpable ${suidDumpable}`)];
}

/**
 * RLIMIT_CORE, as children inherit it. A pipe handler is called whatever the limit, but for the value 1.
 * @param limits content of /proc/1/limits
 */
export function checkRlimit(limits: string | undefined, policy: "ignore" | "honour"): Step {
  const [, soft = "", hard = ""] = /^Max core file size\s+(\S+)\s+(\S+)/m.exec(limits ?? "") ?? [];
  if (soft === "") return warning("rlimit", "RLIMIT_CORE of pid 1 cannot be read");
  const text = `RLIMIT_CORE of pid 1 is ${soft}, hard ${hard}`;
  if (soft === "1" || hard === "1") {
    return problem(
      "rlimit",
      `${text}: with 1 the kernel calls no handler`,
      "Find what sets it (LimitCORE=, limits.conf) and take it away",
    );
  }
  if (policy === "honour" && soft === "0") {
    return warning("rlimit", `${text}, and --rlimit=honour: most processes are refused`, "install --rlimit=ignore");
  }
  return ok("rlimit", `${text}; ${policy === "honour" ? "honoured" : "a handler is called all the same"}`);
}
