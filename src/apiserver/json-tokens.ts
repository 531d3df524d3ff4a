/**
 * JSON by its bytes, before it is parsed: how deep it is and how much is in it, and fields that stand twice. One pass, no
 * recursion and no regular expression, because the text is anybody's and up to 3 MiB.
 */
import { clipped, LIMITS } from "./limits.ts";
import { badRequest } from "./refusal.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const [OBJECT, OBJECT_END, LIST, LIST_END] = [0x7b, 0x7d, 0x5b, 0x5d] as const;

/** Where the text that begins at `at` ends: at its closing quotation mark, or at the end of all. */
function endOfText(json: Buffer, at: number): number {
  let end = at + 1;
  while (end < json.length && json[end] !== QUOTE) end += json[end] === BACKSLASH ? 2 : 1;
  return end;
}

/** @throws Refusal 400 when it would be dear to parse. Whether it is JSON, the parser says */
export function assertModest(json: Buffer, mostValues: number = LIMITS.bodyValues): void {
  let [depth, values] = [0, 0];
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) at = endOfText(json, at);
    else if (byte === OBJECT || byte === LIST) {
      values++;
      if (++depth > LIMITS.bodyDepth) throw badRequest(`the body is deeper than ${LIMITS.bodyDepth} levels`);
    } else if (byte === OBJECT_END || byte === LIST_END) depth--;
    else if (byte === COMMA) values++;
    if (values > mostValues) throw badRequest(`the body has more than ${mostValues} values`);
  }
}

/** An object or a list that is open. */
interface Level {
  /** Of an object: the fields that were seen. */
  readonly fields: Set<string> | undefined;
  /** Where we are: the last field, the element's number. */
  at: string | number;
}

/**
 * The last of several fields of one name counts, as everywhere; but a strict reader is to be told.
 * @param json  valid JSON that is modest
 * @returns paths of the first few, such as `spec.podname`
 */
export function duplicatesIn(json: Buffer): string[] {
  const found: string[] = [];
  const open: Level[] = [];
  for (let at = 0; at < json.length && found.length < LIMITS.words; at++) {
    const byte = json[at];
    const level = open.at(-1);
    if (byte === OBJECT) open.push({ fields: new Set(), at: "" });
    else if (byte === LIST) open.push({ fields: undefined, at: 0 });
    else if (byte === OBJECT_END || byte === LIST_END) open.pop();
    else if (byte === COMMA && typeof level?.at === "number") level.at++;
    else if (byte === QUOTE) {
      const end = endOfText(json, at);
      if (level?.fields && isField(json, end + 1)) {
        level.at = JSON.parse(json.toString("utf8", at, end + 1)) as string; // {"a": 1, "\u0061": 2} are the same
        if (level.fields.has(level.at)) found.push(pathOf(open));
        level.fields.add(level.at);
      }
      at = end;
    }
  }
  return found;
}

/** Whether a colon comes next. */
function isField(json: Buffer, from: number): boolean {
  let at = from;
  while (json[at] === 0x20 || json[at] === 0x09 || json[at] === 0x0a || json[at] === 0x0d) at++;
  return json[at] === COLON;
}

const pathOf = (open: readonly Level[]): string =>
  open
    .map(({ at }) => (typeof at === "number" ? `[${at}]` : `.${clipped(at)}`))
    .join("")
    .slice(1);
