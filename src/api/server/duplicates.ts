/** Fields that stand twice in an object of JSON. The last one counts, as everywhere; but a strict reader must learn of it. */
import { endOfText } from "../../domain/json-measure.ts";
import { clipped, LIMITS } from "./limits.ts";

const [OBJECT, OBJECT_END, LIST, LIST_END] = [0x7b, 0x7d, 0x5b, 0x5d] as const;
const [QUOTE, COLON, COMMA] = [0x22, 0x3a, 0x2c] as const;
const SPACES: readonly (number | undefined)[] = [0x20, 0x09, 0x0a, 0x0d];

/** An object or a list that is open. */
interface Level {
  /** Of an object: the fields that were seen. */
  readonly fields: Set<string> | undefined;
  /** Where we are: the last field, the element's number. */
  at: string | number;
}

/**
 * @param json  valid JSON of a bounded depth
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
  while (SPACES.includes(json[at])) at++;
  return json[at] === COLON;
}

const pathOf = (open: readonly Level[]): string =>
  open
    .map(({ at }) => (typeof at === "number" ? `[${at}]` : `.${clipped(at)}`))
    .join("")
    .slice(1);
