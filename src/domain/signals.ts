/**
 * Signals that dump core and their si_codes (signal(7), sigaction(2)). The numbers are those of every Linux
 * architecture that Node runs on but MIPS and SPARC.
 */
const NAMES: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  3: "SIGQUIT",
  4: "SIGILL",
  5: "SIGTRAP",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  10: "SIGUSR1",
  11: "SIGSEGV",
  12: "SIGUSR2",
  13: "SIGPIPE",
  14: "SIGALRM",
  15: "SIGTERM",
  16: "SIGSTKFLT",
  24: "SIGXCPU",
  25: "SIGXFSZ",
  31: "SIGSYS",
};

/** glibc's real-time signals; it keeps 32 and 33 for itself (signal(7)). */
const [RTMIN, RTMAX] = [34, 64];

/** `SIGSEGV`, `SIGRTMIN+8`, or `signal 33` for one without a name here. */
export function signalName(number: number): string {
  const real = number >= RTMIN && number <= RTMAX ? `SIGRTMIN${number > RTMIN ? `+${number - RTMIN}` : ""}` : undefined;
  return NAMES[number] ?? real ?? `signal ${number}`;
}

/** Codes that any signal may have: who sent it. */
const SENT_BY: Readonly<Record<number, string>> = {
  0: "sent by kill",
  [-1]: "sent by sigqueue",
  [-2]: "sent by a timer",
  [-3]: "sent by a message queue",
  [-4]: "sent by asynchronous I/O",
  [-6]: "sent by tkill",
  128: "sent by the kernel",
};

const CODES: Readonly<Record<number, readonly string[]>> = {
  4: [
    "",
    "illegal opcode",
    "illegal operand",
    "illegal addressing mode",
    "illegal trap",
    "privileged opcode",
    "privileged register",
    "coprocessor error",
    "internal stack error",
  ],
  7: [
    "",
    "invalid address alignment",
    "nonexistent physical address",
    "object-specific hardware error",
    "hardware memory error (action required)",
    "hardware memory error (action optional)",
  ],
  8: [
    "",
    "integer division by zero",
    "integer overflow",
    "floating-point division by zero",
    "floating-point overflow",
    "floating-point underflow",
    "floating-point inexact result",
    "invalid floating-point operation",
    "subscript out of range",
  ],
  11: [
    "",
    "address not mapped",
    "invalid permissions",
    "failed address bound checks",
    "access denied by memory protection keys",
    "ADI not enabled",
    "ADI disrupting",
    "ADI precise",
    "MTE asynchronous",
    "MTE synchronous",
    "control-flow protection",
  ],
  31: ["", "seccomp triggered"],
};

/** What the si_code says in words (`address not mapped`), or undefined. */
export const signalCodeText = (number: number, code: number): string | undefined =>
  (code > 0 ? CODES[number]?.[code] : undefined) ?? SENT_BY[code];

/**
 * Whether si_addr means something: the faults do, a signal sent by a process does not, nor do the two kinds of SIGSEGV
 * that the kernel raises with address 0 because it knows none (asynchronous memory tags, control-flow protection).
 */
export const hasFaultAddress = (number: number, code: number): boolean =>
  code > 0 && code < 128 && [4, 5, 7, 8, 11].includes(number) && !(number === 11 && [8, 10].includes(code));
