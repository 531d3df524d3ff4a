/** A mapping of /proc/P/maps, as far as copying needs it. Addresses are bytes. */
export interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
  /**
   * Truly anonymous: a page that pagemap shows neither present nor swapped was never touched and reads as zeros.
   * `[vdso]` and `[vvar]` have no inode either, but their pages count as absent until touched.
   */
  readonly anonymous: boolean;
  readonly name: string;
}

const LINE = /^([0-9a-f]{1,16})-([0-9a-f]{1,16}) ([-r][-w][-x][-ps]) [0-9a-f]+ ([0-9a-f]+:[0-9a-f]+) (\d+) *(.*)$/;
const ANONYMOUS_NAME = /^(|\[heap\]|\[stack\]|\[anon:.*\])$/;

/** Parses /proc/P/maps (proc_pid_maps(5)); a line that does not look like one is left out, so its pages are read. */
export function parseMaps(maps: Buffer): Mapping[] {
  const found: Mapping[] = [];
  for (const line of maps.toString("latin1").split("\n")) {
    const match = LINE.exec(line);
    if (!match) continue;
    const [, start = "0", end = "0", access = "", device, inode, name = ""] = match;
    const anonymous = device === "00:00" && inode === "0" && access[3] === "p" && ANONYMOUS_NAME.test(name);
    found.push({ start: BigInt(`0x${start}`), end: BigInt(`0x${end}`), anonymous, name });
  }
  return found;
}

/** The mappings that overlap [from, to), in order. `mappings` is sorted, as the kernel prints it. */
export function* mappingsIn(mappings: readonly Mapping[], from: bigint, to: bigint): Iterable<Mapping> {
  let low = 0;
  for (let high = mappings.length; low < high; ) {
    const middle = (low + high) >> 1;
    if ((mappings[middle]?.end ?? 0n) <= from) low = middle + 1;
    else high = middle;
  }
  for (let at = low; at < mappings.length; at++) {
    const mapping = mappings[at];
    if (!mapping || mapping.start >= to) return;
    yield mapping;
  }
}
