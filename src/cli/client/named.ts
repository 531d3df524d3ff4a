/** A dump by any name that people have for it: its own, its id or a part of it, its pod's. */
import type { Coredump } from "../../kube/coredump.ts";

/** As kubectl prints it: `coredump.coredump.fujitsu.com/NAME`, `coredumps/NAME`. */
const KIND = /^(coredump|coredumpendpoint)s?(\.coredump\.fujitsu\.com)?\//;
/** Fewer digits would fit by chance. */
const ID = /^[0-9a-f-]{4,36}$/;
const SHORT_DIGITS = 12;

export const withoutKind = (name: string): string => name.replace(KIND, "");

const mayBeId = (word: string): boolean => ID.test(word);

/** Whether a word is an id, or its short form (the last 12 digits), or the beginning of either, or a part of the latter. */
export function isId(word: string, { spec }: Coredump): boolean {
  const id = typeof spec.id === "string" ? spec.id : "";
  return mayBeId(word) && (id.startsWith(word) || id.slice(-SHORT_DIGITS).includes(word));
}

/** Since the crash, not since the object: it may have been registered days later. */
export const crashedAtMs = ({ spec, metadata }: Coredump): number =>
  Date.parse(spec.dumptime ?? metadata.creationTimestamp ?? "");

/** The newest first; what has no time last. */
export const byAge = (a: Coredump, b: Coredump): number => (crashedAtMs(b) || 0) - (crashedAtMs(a) || 0);
