/** Cores are mostly zeros: a page of them need not be written to become a hole of a new file. */
const PAGE_BYTES = 4096;
const ZEROS = Buffer.alloc(PAGE_BYTES);

/** `[from, to)` of everything between pages of zeros. */
export function* dataRuns(chunk: Buffer): Iterable<readonly [number, number]> {
  let from: number | undefined;
  for (let at = 0; at < chunk.length; at += PAGE_BYTES) {
    const end = Math.min(at + PAGE_BYTES, chunk.length);
    const zero = chunk[at] === 0 && chunk.compare(ZEROS, 0, end - at, at, end) === 0;
    if (!zero) from ??= at;
    else if (from !== undefined) yield [from, at];
    if (zero) from = undefined;
  }
  if (from !== undefined) yield [from, chunk.length];
}
