/**
 * Line numbers of CPython's code objects since 3.11 (Objects/locations.md, "The locations table"): entries for one instruction after the
 * other. The first byte of each has its kind and how many code units it covers.
 */

const [NO_COLUMNS, LONG, NONE] = [13, 14, 15];
/** One-line forms: the line is so many below the one before. */
const ONE_LINE = 10;
const MAX_NUMBER_BYTES = 8;

/**
 * @param table co_linetable
 * @param unit which code unit (2 bytes) of the function
 * @returns null where it has no line, or the table is broken
 */
export function lineAt(table: Uint8Array, firstLine: number, unit: number): number | null {
  const cursor = { at: 0 };
  let [line, from] = [firstLine, 0];
  while (cursor.at < table.length) {
    const head = table[cursor.at++] ?? 0;
    if (head < 0x80) return null;
    const kind = (head >> 3) & 15;
    line += delta(table, cursor, kind);
    from += (head & 7) + 1;
    if (unit < from) return kind === NONE || line < 1 ? null : line;
  }
  return null;
}

/** By how much the line changes; the columns are skipped. */
function delta(table: Uint8Array, cursor: { at: number }, kind: number): number {
  if (kind === NONE) return 0;
  if (kind === NO_COLUMNS) return signed(number(table, cursor));
  if (kind === LONG) {
    const lines = signed(number(table, cursor));
    for (let i = 0; i < 3; i++) number(table, cursor);
    return lines;
  }
  cursor.at += kind < ONE_LINE ? 1 : 2;
  return kind < ONE_LINE ? 0 : kind - ONE_LINE;
}

/** 6 bits a byte, the lowest first. */
function number(table: Uint8Array, cursor: { at: number }): number {
  let value = 0;
  for (let i = 0; i < MAX_NUMBER_BYTES; i++) {
    const byte = table[cursor.at++] ?? 0;
    value += (byte & 0x3f) * 64 ** i;
    if ((byte & 0x40) === 0) break;
  }
  return value;
}

const signed = (value: number): number => (value % 2 === 1 ? -(value - 1) / 2 : value / 2);
