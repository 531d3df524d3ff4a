/**
 * How large JSON is, by its bytes and before it is parsed: what is parsed costs many times its bytes. One pass, no recursion
 * and no regular expression, because the text is anybody's.
 */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const [OBJECT, OBJECT_END, LIST, LIST_END] = [0x7b, 0x7d, 0x5b, 0x5d] as const;

interface JsonLimits {
  /** Objects and lists inside one another. */
  readonly depth: number;
  /** Objects, lists, fields and elements. */
  readonly values: number;
}

/** Where the text that begins at `at` ends: at its closing quotation mark, or at the end of all. */
export function endOfText(json: Buffer, at: number): number {
  let end = at + 1;
  while (end < json.length && json[end] !== QUOTE) end += json[end] === BACKSLASH ? 2 : 1;
  return end;
}

/** @returns what it has too much of, in words; undefined when it may be parsed. Whether it is JSON, the parser says */
export function excessOf(json: Buffer, most: JsonLimits): string | undefined {
  let [depth, values] = [0, 0];
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) at = endOfText(json, at);
    else if (byte === OBJECT || byte === LIST) {
      values++;
      if (++depth > most.depth) return `it is deeper than ${most.depth} levels`;
    } else if (byte === OBJECT_END || byte === LIST_END) depth--;
    else if (byte === COMMA) values++;
    if (values > most.values) return `it has more than ${most.values} values`;
  }
  return undefined;
}
