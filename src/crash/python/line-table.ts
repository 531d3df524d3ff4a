/** co_linetable: which line each instruction has (Objects/locations.md of CPython 3.11 and later). */

/**
 * @param first co_firstlineno
 * @param unit  index of the instruction, in code units
 */
export function lineAt(table: Uint8Array, first: number, unit: number): number | null {
  let [at, line, start] = [0, first, 0];
  const varint = (): number => {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = table[at++] ?? 0;
      value += (byte & 0x3f) * scale;
      scale *= 64;
      if (!(byte & 0x40)) return value;
    }
  };
  const signed = (): number => {
    const value = varint();
    return value & 1 ? -Math.floor(value / 2) : Math.floor(value / 2);
  };
  while (at < table.length) {
    const head = table[at++] ?? 0;
    const [code, length] = [(head >> 3) & 15, (head & 7) + 1];
    if (code === 14 || code === 13) line += signed();
    else if (code >= 10 && code <= 12) line += code - 10;
    if (code === 14) for (let i = 0; i < 3; i++) varint();
    else if (code >= 10 && code <= 12) at += 2;
    else if (code < 10) at += 1;
    if (start <= unit && unit < start + length) return code === 15 ? null : line;
    start += length;
  }
  return null;
}
