/** A mapping of /proc/P/maps, as far as copying needs it. Addresses are bytes. */
export interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
  /**
   * What a page that is not there reads as.
   * `anonymous`: one that pagemap shows neither present nor swapped was never touched and is zeros. `[vdso]` has no inode
   * either, but its pages count as absent until touched: `any`, they must be read.
   * `none`: the kernel dumps [vvar] as zeros, because get_dump_page() refuses VM_IO (mm/gup.c, check_vma_flags).
   * Newer ones (seen with 7.3) dump it: the clock's data of that moment, which is of no use and cannot be read again.
   */
  readonly pages: "anonymous" | "none" | "any";
}

const LINE = /^([0-9a-f]{1,16})-([0-9a-f]{1,16}) ([-r][-w][-x][-ps]) [0-9a-f]+ ([0-9a-f]+:[0-9a-f]+) (\d+) *(.*)$/s;
const VVAR = /^\[vvar(_\w+)?\]$/;
const ANONYMOUS_NAME = /^(|\[heap\]|\[stack\]|\[anon:.*\])$/s;
const NEWLINE = 0x0a;
/** What is looked at of a line. Addresses to inode take 90 bytes at the most, the name of an anonymous mapping 87 (prctl(2)). */
const LINE_BYTES = 256;

const PAGES = ["anonymous", "none", "any"] as const satisfies Mapping["pages"][];

/**
 * /proc/P/maps (proc_pid_maps(5)) by address, in 17 bytes a mapping: a process can have a million. A line that does not look
 * like one is left out, so its pages are read.
 */
export class Mappings {
  readonly #starts: BigUint64Array;
  readonly #ends: BigUint64Array;
  /** Into PAGES. */
  readonly #pages: Uint8Array;
  #count = 0;

  constructor(maps: Buffer) {
    let lines = 1;
    for (let at = maps.indexOf(NEWLINE); at >= 0; at = maps.indexOf(NEWLINE, at + 1)) lines++;
    this.#starts = new BigUint64Array(lines);
    this.#ends = new BigUint64Array(lines);
    this.#pages = new Uint8Array(lines);
    for (const line of linesOf(maps)) this.#add(line.toString("latin1", 0, LINE_BYTES));
  }

  #add(line: string): void {
    const match = LINE.exec(line);
    if (!match) return;
    const [, start = "0", end = "0", access = "", device, inode, name = ""] = match;
    const noFile = device === "00:00" && inode === "0" && access[3] === "p";
    const pages = noFile && ANONYMOUS_NAME.test(name) ? "anonymous" : noFile && VVAR.test(name) ? "none" : "any";
    this.#starts[this.#count] = BigInt(`0x${start}`);
    this.#ends[this.#count] = BigInt(`0x${end}`);
    this.#pages[this.#count++] = PAGES.indexOf(pages);
  }

  /** Those that overlap [from, to), in order. */
  *within(from: bigint, to: bigint): Generator<Mapping, void> {
    let low = 0;
    for (let high = this.#count; low < high; ) {
      const middle = (low + high) >> 1;
      if ((this.#ends[middle] ?? 0n) <= from) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < this.#count; at++) {
      const [start = 0n, end = 0n, pages = "any"] = [this.#starts[at], this.#ends[at], PAGES[this.#pages[at] ?? 0]];
      if (start >= to) return;
      yield { start, end, pages };
    }
  }
}

/** A mapping of a file's code. */
interface CodeMapping {
  /** As they are there: hexadecimal, at least eight digits. */
  readonly start: string;
  readonly end: string;
  /** Tells the file from any other: device and inode. */
  readonly file: string;
  /** Major and minor in decimal, as in mountinfo. */
  readonly device: string;
}

const SPACE = 0x20;
const X = 0x78;

/**
 * The executable mappings of files in /proc/P/maps. Other lines cost a look at some bytes: the process is held meanwhile, and
 * may have 65,000 of them.
 */
export function* codeMappings(maps: Buffer): Generator<CodeMapping> {
  for (let at = 0; at < maps.length; ) {
    let access = at;
    while (access < at + ADDRESSES_BYTES && maps[access] !== SPACE) access++;
    if (maps[access + 3] === X) {
      const mapping = codeMapping(maps.toString("latin1", at, at + LINE_BYTES));
      if (mapping) yield mapping;
    }
    const end = maps.indexOf(NEWLINE, access);
    at = end < 0 ? maps.length : end + 1;
  }
}

/** Two of 16 digits. */
const ADDRESSES_BYTES = 33;

/** Without LINE: its first use alone would cost more than fifty lines do like this. */
function codeMapping(line: string): CodeMapping | undefined {
  const [range = "", , , device = "", inode = "0"] = line.split(" ", 5);
  const [start, end] = range.split("-");
  if (inode === "0" || !start || !end) return undefined;
  const [major = "", minor = ""] = device.split(":");
  const decimal = `${Number.parseInt(major, 16)}:${Number.parseInt(minor, 16)}`;
  return { start, end, file: `${device} ${inode}`, device: decimal };
}

/** Device and inode of the file whose mapping begins at the address, as in CodeMapping. The lines are sorted by address. */
export function fileAt(maps: Buffer, start: bigint): string | undefined {
  let [low, high] = [0, maps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = middle === 0 ? 0 : maps.lastIndexOf(NEWLINE, middle - 1) + 1; // the line that the middle is in
    const match = LINE.exec(maps.toString("latin1", at, at + LINE_BYTES));
    if (!match) return undefined;
    const found = BigInt(`0x${match[1]}`);
    if (found === start) return match[5] === "0" ? undefined : `${match[4]} ${match[5]}`;
    if (found > start) high = at;
    else {
      const end = maps.indexOf(NEWLINE, middle);
      low = end < 0 ? maps.length : end + 1;
    }
  }
  return undefined;
}

function* linesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, at);
    yield bytes.subarray(at, end < 0 ? bytes.length : end);
    at = end < 0 ? bytes.length : end + 1;
  }
}

/**
 * Whether [vsyscall] begins at this address and may only be executed: then no page backs it (arch/x86/entry/vsyscall) and
 * the kernel dumps zeros. It is the last line of the file.
 */
export function isVsyscallWithoutPage(maps: Buffer, vaddr: bigint): boolean {
  const last = maps.subarray(maps.lastIndexOf(NEWLINE, -2) + 1).toString("latin1", 0, LINE_BYTES);
  return last.startsWith(`${vaddr.toString(16)}-`) && /--xp .*\[vsyscall\]\n?$/.test(last);
}
