/**
 * Which crashes are the same bug: version 1 of the rules (docs/crash.md). A program can forge it, so it groups what people look at and
 * decides nothing.
 */
import { createHash } from "node:crypto";
import type { CrashFrame, CrashModule } from "../../domain/crash.ts";
import { signalName } from "../../domain/signals.ts";
import type { CrashSignal } from "../process/core.ts";
import { isFailing, isInterpreter, isLeading, isRuntimeModule, isRuntimeName, isTrailing } from "./machinery.ts";
import { plainName, plainOf } from "./plain.ts";

export interface FingerprintInput {
  readonly signal: CrashSignal | undefined;
  /** Of the process, in its own namespace. */
  readonly pid: number | undefined;
  readonly stack: readonly CrashFrame[];
  readonly modules: readonly CrashModule[];
  /** Base name. */
  readonly executable: string;
}

/** Signal frames count only so near to the crash. */
const SIGNAL_DEPTH = 64;
const [NAMED_FRAMES, UNNAMED_FRAMES] = [5, 16];
const HEX_DIGITS = 12;
const MAX_PERIOD = 8;

/** @returns both null where there is no stack to tell */
export function fingerprintOf(seen: FingerprintInput): {
  readonly fingerprint: string | null;
  readonly site: string | null;
} {
  if (isSent(seen)) {
    const id = hash([seen.executable, signalName(seen.signal?.number ?? 0), "sent"]);
    return { fingerprint: id, site: id };
  }
  const words = folded(
    significant(seen)
      .map((frame) => wordOf(frame, seen.modules))
      .filter(isNewRuntime),
  );
  const [first] = words;
  if (first === undefined) return { fingerprint: null, site: null };
  const count = isNamed(first) ? NAMED_FRAMES : UNNAMED_FRAMES;
  return { fingerprint: hash([seen.executable, ...words.slice(0, count)]), site: hash([seen.executable, first]) };
}

const hash = (words: readonly string[]): string =>
  createHash("sha256")
    .update(["1", ...words].join("\0"))
    .digest("hex")
    .slice(0, HEX_DIGITS);

const [SI_USER, SI_TKILL, SI_QUEUE] = [0, -6, -1];

/** By another process: what the threads were doing says nothing about a bug. */
export function isSent({ signal, pid }: FingerprintInput): boolean {
  return (
    signal !== undefined &&
    [SI_USER, SI_TKILL, SI_QUEUE].includes(signal.code) &&
    pid !== undefined &&
    signal.sender !== pid
  );
}

const isOwn = ({ signal, pid }: FingerprintInput): boolean =>
  signal !== undefined && [SI_USER, SI_TKILL, SI_QUEUE].includes(signal.code) && signal.sender === pid;

/** The frames that tell: from below a handler that raised again or a language's own failure, without machinery at either end; all of them where none is left. */
export function significant(seen: FingerprintInput): readonly CrashFrame[] {
  const { modules } = seen;
  const handler = isOwn(seen) ? seen.stack.slice(0, SIGNAL_DEPTH).findLastIndex(({ kind }) => kind === "signal") : -1;
  const failing = seen.stack
    .slice(0, SIGNAL_DEPTH)
    .findLastIndex((frame, i) => i > handler && isNamedSo(frame, isFailing));
  const isPython = seen.stack.some(({ kind }) => kind === "python");
  // What only debug information tells must not make another bug of it. Go's inlined calls are always known.
  const all = seen.stack
    .slice(Math.max(handler, failing) + 1)
    .filter(({ inlined, kind }) => !inlined || kind !== "native")
    .filter(({ module }) => !isPython || module === null || !isInterpreter(modules[module]?.path ?? ""));
  const from = all.findIndex((frame) => !isMachinery(frame, modules, isLeading));
  const until = all.findLastIndex((frame) => !isMachinery(frame, modules, isTrailing));
  return from < 0 || until < from ? all : all.slice(from, until + 1);
}

function isMachinery(frame: CrashFrame, modules: readonly CrashModule[], isName: (name: string) => boolean): boolean {
  return isOfRuntime(frame, modules) || frame.kind === "signal" || isNamedSo(frame, isName);
}

const isOfRuntime = (frame: CrashFrame, modules: readonly CrashModule[]): boolean =>
  (frame.module !== null && isRuntimeModule(modules[frame.module]?.path ?? "")) || isNamedSo(frame, isRuntimeName);

/** Names of functions of C and the like; a Python function may be called `start` or `abort`. */
const isNamedSo = ({ function: name, kind }: CrashFrame, is: (name: string) => boolean): boolean =>
  name !== null && kind !== "python" && is(plainName(name));

const RUNTIME = "<runtime>";

/** A frame in one word that does not change with addresses, and as little as possible with builds. */
function wordOf(frame: CrashFrame, modules: readonly CrashModule[]): string {
  if (frame.kind === "signal") return "<signal>";
  if (frame.kind === "jit") return "<jit>";
  if (isOfRuntime(frame, modules)) return RUNTIME;
  if (frame.function !== null) return plainOf(frame.function, frame.kind);
  const module = frame.module === null ? undefined : modules[frame.module];
  if (frame.kind === "python") return "<python>";
  if (!module) return BigInt(frame.pc) < 65536n ? "<null>" : "<nowhere>";
  const start =
    frame.offset === null || frame.functionOffset === null ? frame.offset : frame.offset - frame.functionOffset;
  const size = BigInt(module.end) - BigInt(module.start);
  const file = module.buildId ? module.buildId.slice(0, 16) : `${module.path.replace(/^.*\//, "")}#${size}`;
  return `${file}+${start?.toString(16) ?? "?"}`;
}

const isNewRuntime = (word: string, index: number, words: readonly string[]): boolean =>
  word !== RUNTIME || words[index - 1] !== RUNTIME;

const isNamed = (word: string): boolean => !/^[^+]+\+[0-9a-f?]+$/.test(word);

/** Recursion once, however deep, and the same wherever in its circle it began: the smallest rotation of each period. */
export function folded(words: readonly string[]): string[] {
  const out: string[] = [];
  for (let at = 0; at < words.length; ) {
    const period = periodAt(words, at);
    if (period === 0) {
      out.push(words[at++] ?? "");
      continue;
    }
    let end = at + period;
    while (end < words.length && words[end] === words[end - period]) end++;
    out.push(...smallest(words.slice(at, at + period)));
    at = end;
  }
  return out;
}

/** The shortest period that is there at least twice from `at` on; 0: none. */
function periodAt(words: readonly string[], at: number): number {
  for (let period = 1; period <= MAX_PERIOD && at + 2 * period <= words.length; period++)
    if (words.slice(at, at + period).every((word, i) => word === words[at + period + i])) return period;
  return 0;
}

function smallest(words: readonly string[]): string[] {
  const rotations = words.map((_, i) => [...words.slice(i), ...words.slice(0, i)]);
  return rotations.sort((a, b) => (a.join("\0") < b.join("\0") ? -1 : 1))[0] ?? [];
}
