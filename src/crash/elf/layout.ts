/** The shape of a core, however many program headers it has. */
import { type Checked, type ReadAt, refuse } from "./bytes.ts";
import { ELF_HEADER_BYTES, type ElfHeader, parseElfHeader } from "./header.ts";
import { expectedBytes, headerCount, type ProgramHeader, programHeaders } from "./program-headers.ts";

export interface CoreLayout {
  readonly header: ElfHeader;
  /** The length that the whole core has. */
  readonly expectedBytes: bigint;
  readonly count: number;
  /** All `count` of them; many are decoded again each time: as objects a million would take 200 MiB. */
  readonly headers: Iterable<ProgramHeader>;
}

/** Of ordinary processes: decoding them again each time would cost more than holding them. */
const FEW = 1024;

/** What the headers say; nothing of a long table is kept. @param read reaches the table at least */
export function layoutOf(read: ReadAt): Checked<CoreLayout> {
  const header = parseElfHeader(read(0n, ELF_HEADER_BYTES));
  if (header === undefined) return refuse("it is not an ELF core");
  const counted = headerCount(read, header);
  if (!counted.ok) return counted;
  const { count } = counted;
  const lastByte = header.phoff + BigInt(count * header.phentsize) - 1n;
  if (read(lastByte, 1).length === 0) return refuse("it ends within its program headers");
  const decoded = () => programHeaders(read, header, count);
  const headers = count <= FEW ? [...decoded()] : { [Symbol.iterator]: decoded };
  const expected = expectedBytes(header, headers);
  return expected.ok ? { ok: true, header, expectedBytes: expected.bytes, count, headers } : expected;
}
