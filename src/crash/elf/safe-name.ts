/** Names that a program chose, made fit for records and terminals. */

import { MAX_NAME_BYTES } from "../../domain/crash.ts";
import { printable } from "../../domain/text.ts";

/** Printable, at most MAX_NAME_BYTES of UTF-8; what was cut ends with `…`. */
export function safeName(name: string): string {
  const text = printable(name.length > 4 * MAX_NAME_BYTES ? name.slice(0, 4 * MAX_NAME_BYTES) : name);
  if (Buffer.byteLength(text) <= MAX_NAME_BYTES) return text;
  const bytes = Buffer.from(text).subarray(0, MAX_NAME_BYTES - 3);
  return `${bytes.toString("utf8").replace(/\ufffd$/, "")}…`;
}

export const hex = (value: bigint): string => `0x${value.toString(16)}`;
