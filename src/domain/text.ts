/**
 * Hostile bytes to text. A crashed process chooses its comm, executable, arguments and host name: any byte but NUL.
 * Records hold what `textOf()` made (valid text, always); a terminal sees only what passed `printable()`.
 */

/**
 * Bytes as text: UTF-8 where it is valid, `\xNN` for each byte that is not. The raw bytes stay in `facts/`, so this
 * need not be reversible.
 */
export function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8");
  if (!text.includes("\ufffd") || Buffer.from(text, "utf8").equals(buffer)) return text;
  let out = "";
  for (let at = 0; at < buffer.length; ) {
    const length = sequenceLength(buffer, at);
    out += length > 0 ? buffer.toString("utf8", at, at + length) : `\\x${hex(buffer[at] ?? 0, 2)}`;
    at += Math.max(length, 1);
  }
  return out;
}

/** Length in bytes of the valid UTF-8 sequence at `at`, or 0. Node's decoder judges; this only finds candidates. */
function sequenceLength(buffer: Buffer, at: number): number {
  const first = buffer[at] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return at + length <= buffer.length && !buffer.toString("utf8", at, at + length).includes("\ufffd") ? length : 0;
}

/**
 * What may not reach a terminal raw: controls (C0, DEL, C1), format characters (bidi overrides and isolates, zero
 * widths, tags), line and paragraph separators, lone surrogates.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Text that cannot move a cursor, hide, reorder or break a line: each such character becomes `\n`, `\x1b`, `\u202e`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (c) => {
    const code = c.codePointAt(0) ?? 0;
    if (c === "\n") return "\\n";
    if (c === "\t") return "\\t";
    return code < 0x100 ? `\\x${hex(code, 2)}` : code < 0x10000 ? `\\u${hex(code, 4)}` : `\\u{${hex(code, 1)}}`;
  });
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
