/** One line that says what happened, without anything of the memory in it but names and the address of the fault. */
import type { CrashFrame } from "../../domain/crash.ts";
import { hasFaultAddress, signalName } from "../../domain/signals.ts";
import { hex } from "../elf/safe-name.ts";
import { type FingerprintInput, isSent, significant } from "./fingerprint.ts";
import { plainName, plainOf } from "./plain.ts";

const NAMES = 3;
const MAX_NAME = 80;
const MAX_TITLE = 300;
/** How near to the stack pointer a fault must be to be its overflow, and how deep the stack. */
const OVERFLOW = { bytes: 1n << 16n, frames: 200 };

/** What a function among the first frames says about the reason: the first that matches. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^_*stack_chk_fail/, "stack smashing detected"],
  [/^_*(fortify_fail|chk_fail)|_chk$/, "buffer overflow detected"],
  [/^malloc_printerr/, "heap corruption detected"],
  [/^_*assert(_perror)?_fail|^std::__glibcxx_assert_fail/, "assertion failed"],
  [/^__cxa_pure_virtual/, "pure virtual function called"],
  [/^std::(terminate|__terminate)|^__cxa_throw|^__cxxabiv1::__terminate/, "uncaught C++ exception"],
  [/^(core|std)::panicking|^rust_(panic|begin_unwind)|^core::(option|result)::/, "Rust panic"],
  [/^runtime\.(gopanic|panic\w+|sigpanic|goPanic\w+|fatalpanic)/, "Go panic"],
  [/^runtime\.(throw|fatalthrow|fatal)/, "Go fatal error"],
];

export function titleOf(seen: FingerprintInput & { readonly stackPointer?: bigint | undefined }): string {
  const names = isSent(seen) ? [] : significant(seen).map(({ function: name, ...frame }) => nameOf(name, frame, seen));
  const distinct = names.filter((name, i) => name !== names[i - 1]).slice(0, NAMES);
  const title = `${whatOf(seen)}${distinct.length > 0 ? ` in ${distinct.join(" ← ")}` : ""}`;
  return title.length > MAX_TITLE ? `${title.slice(0, MAX_TITLE - 1)}…` : title;
}

function nameOf(name: string | null, frame: Omit<CrashFrame, "function">, seen: FingerprintInput): string {
  if (name !== null) return short(plainOf(name, frame.kind));
  if (frame.kind === "python") return "<Python>";
  if (frame.kind === "signal") return "<signal handler>";
  if (frame.kind === "jit") return "<generated code>";
  const module = frame.module === null ? undefined : seen.modules[frame.module];
  if (!module) return frame.pc === "0x0" ? "<call through NULL>" : "<no code>";
  return `${module.path.replace(/^.*\//, "")}${frame.offset === null ? "" : `+0x${frame.offset.toString(16)}`}`;
}

const short = (name: string): string => (name.length > MAX_NAME ? `${name.slice(0, MAX_NAME - 1)}…` : name);

function whatOf(seen: FingerprintInput & { readonly stackPointer?: bigint | undefined }): string {
  const { signal, stack } = seen;
  if (!signal) return "crash";
  const name = signalName(signal.number);
  if (isSent(seen)) return `${name} sent by another process`;
  const plain = stack
    .slice(0, 24)
    .flatMap(({ function: each, kind }) => (each === null || kind === "python" ? [] : [plainName(each)]));
  const reason = REASONS.find(([pattern]) => plain.some((each) => pattern.test(each)))?.[1];
  if (reason) return `${name}: ${reason}`;
  if (!hasFaultAddress(signal.number, signal.code)) return name;
  const near = seen.stackPointer === undefined ? OVERFLOW.bytes : seen.stackPointer - signal.address;
  const isOverflow =
    signal.number === 11 && stack.length >= OVERFLOW.frames && near < OVERFLOW.bytes && near > -OVERFLOW.bytes;
  return isOverflow ? `${name}: stack overflow` : signal.number === 8 ? name : `${name} at ${hex(signal.address)}`;
}
