/**
 * The one catalogue of what can go wrong. An error carries data and a hint; messages are never parsed.
 *
 * Message grammar: `Cannot <act> <what>: <why>`, sentence case, no final period. The hint says what the operator can do.
 * Exit codes follow sysexits(3) where one fits, so that scripts can tell the cases apart.
 */
interface Traits {
  /** Whether the same act may succeed later without any action. How to retry is the caller's business. */
  readonly retry: boolean;
  readonly exitCode: number;
}

export const FAILURES = {
  UNEXPECTED: { retry: false, exitCode: 1 },
  USAGE: { retry: false, exitCode: 2 },
  /** `verify` found a core that is cut short or not what was captured. */
  DUMP_INCOMPLETE: { retry: false, exitCode: 65 },
  DUMP_CORRUPT: { retry: false, exitCode: 65 },
  DUMP_NOT_FOUND: { retry: false, exitCode: 66 },
  DUMP_AMBIGUOUS: { retry: false, exitCode: 66 },
  /** The record is there, its core is not (refused, evicted, lost, stored elsewhere). */
  DUMP_NOT_HELD: { retry: false, exitCode: 66 },
  /** Its core is on its way into the store: the state says how far it came. */
  DUMP_NOT_READY: { retry: true, exitCode: 75 },
  /** The process was not dumpable (`%d` ≠ 1): its memory is for root of the node. */
  DUMP_RESTRICTED: { retry: false, exitCode: 77 },
  DUMP_BUSY: { retry: true, exitCode: 75 },
  PROCESS_GONE: { retry: false, exitCode: 68 },
  PROCESS_MISMATCH: { retry: false, exitCode: 68 },
  CORE_UNREADABLE: { retry: false, exitCode: 65 },
  CACHE_UNUSABLE: { retry: true, exitCode: 73 },
  RUNTIME_UNAVAILABLE: { retry: true, exitCode: 69 },
  RUNTIME_ANSWER_INVALID: { retry: false, exitCode: 76 },
  SYSTEM_CALL_FAILED: { retry: false, exitCode: 71 },
  /** The cluster's API server: not reached, or too busy. */
  API_UNAVAILABLE: { retry: true, exitCode: 69 },
  /** It knows us and refuses (403), or does not know us (401): the message names the verb. */
  API_DENIED: { retry: false, exitCode: 77 },
  /** Another client wrote in between, or the object is there already: look again, then decide again. */
  API_CONFLICT: { retry: true, exitCode: 75 },
  /** What a watch wants to go on from is no longer known: list again. */
  API_GONE: { retry: true, exitCode: 75 },
  API_INVALID: { retry: false, exitCode: 76 },
  /** The API server knows no such kind: the custom resources are not installed. Says nothing about any object. */
  API_KIND_MISSING: { retry: true, exitCode: 69 },
  /** No such object. */
  NOT_FOUND: { retry: false, exitCode: 66 },
  /** What the API server keeps its objects in (etcd, SQLite) does not answer. */
  STORAGE_UNAVAILABLE: { retry: true, exitCode: 69 },
  SETTINGS_INVALID: { retry: false, exitCode: 78 },
  NOT_PERMITTED: { retry: false, exitCode: 77 },
  PATTERN_REFUSED: { retry: false, exitCode: 71 },
  /** `doctor` found problems; it named each of them. */
  NODE_UNHEALTHY: { retry: false, exitCode: 1 },
  /** `check` found problems; it named each of them. */
  CLUSTER_UNHEALTHY: { retry: false, exitCode: 1 },
  /** The store does not answer, or breaks off, or says that it is busy. */
  STORE_UNAVAILABLE: { retry: true, exitCode: 69 },
  /** Wrong, missing or too weak credentials; a read-only volume. */
  STORE_DENIED: { retry: false, exitCode: 77 },
  /** No such bucket, no such directory. */
  STORE_MISSING: { retry: false, exitCode: 78 },
  STORE_FULL: { retry: true, exitCode: 73 },
  /** What the store has is not what was sent, or no bundle at all. */
  STORE_CORRUPT: { retry: true, exitCode: 65 },
  /** The store cannot do what was asked of it: settings that do not fit it. */
  STORE_REFUSED: { retry: false, exitCode: 78 },
  /** The collector removes nothing: what it found is more likely to be wrong than right. */
  RETENTION_STOPPED: { retry: true, exitCode: 75 },
  /** A file that was asked for (`dump <id> FILE`) is there already or cannot be written. */
  OUTPUT_UNWRITABLE: { retry: false, exitCode: 74 },
  /** A debugger, an engine or an image that is needed is not to be had here. */
  TOOL_MISSING: { retry: false, exitCode: 72 },
  /** SIGINT, SIGTERM: what was begun can be gone on with, or was taken back. */
  INTERRUPTED: { retry: true, exitCode: 130 },
  /** Our stdout has no reader any more (`dump <id> | head`): 128 + SIGPIPE, as every other tool ends then. */
  OUTPUT_CLOSED: { retry: false, exitCode: 141 },
} as const satisfies Record<string, Traits>;

export type FailureCode = keyof typeof FAILURES;

export class DumpError<C extends FailureCode = FailureCode> extends Error {
  override readonly name = "DumpError";
  readonly code: C;
  /** What the operator can do about it. */
  readonly hint: string | undefined;

  /** The executable is made of several scripts, each with a class of this name (install/build/scripts.ts). */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === "DumpError";
  }

  constructor(code: C, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** Whether it is a failure of ours with one of these codes. */
export const isCode = (error: unknown, ...codes: readonly FailureCode[]): boolean =>
  error instanceof DumpError && codes.includes(error.code);

/** Whether the same act may succeed later. */
export const mayPass = (error: unknown): boolean =>
  error instanceof DumpError && FAILURES[error.code as FailureCode].retry;

/** What cannot be had is as if it were not there. */
export function ifPossible<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

const EDQUOT = 122;

/** The errno name (`ENOSPC`) of a failed system call, or undefined when the error is none. */
export function errnoOf(error: unknown): string | undefined {
  if ((error as { errno?: unknown } | null)?.errno === -EDQUOT) return "EDQUOT"; // libuv has no name for it
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** A reason in a few words, for records and logs: the errno's own text without the path that fs appends. */
export function reasonOf(error: unknown): string {
  if (error instanceof DumpError) return error.message;
  if (error instanceof Error) return error.message.replace(/^(E[A-Z0-9]+: [^,]*),.*$/s, "$1");
  return String(error);
}
