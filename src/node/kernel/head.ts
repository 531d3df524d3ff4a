/** The start of a core: headers and notes, up to its memory. */
import { readerOf } from "../../crash/elf/bytes.ts";
import { ELF_HEADER_BYTES, parseElfHeader } from "../../crash/elf/header.ts";
import { type CoreLayout, layoutOf } from "../../crash/elf/layout.ts";
import { tableBytes } from "../../crash/elf/program-headers.ts";
import { type DirectPlan, directlyCopyable } from "../../crash/elf/segments.ts";
import type { CorePipe } from "./pipe.ts";

/** The core's first bytes, before any memory: enough to know how long it should become. */
export interface CoreHead {
  /** What was taken from the pipe; goes to the file as it is. */
  readonly bytes: Buffer;
  /** Undefined when the stream is not an ELF core, or its table is too long to hold. */
  readonly expectedBytes: bigint | undefined;
  /** Undefined likewise. */
  readonly table: CoreLayout | undefined;
  readonly plan: DirectPlan | undefined;
  /** Why there is no plan. */
  readonly noPlan: string | undefined;
}

/** ELF header and the first program header, which says where the table ends. */
const FIRST_BYTES = ELF_HEADER_BYTES + 56;

/** Reads ELF header and program headers. A stream that is not a core is not an error here: it is kept as it is. */
export async function readHead(pipe: CorePipe): Promise<CoreHead> {
  const first = Buffer.allocUnsafeSlow(FIRST_BYTES);
  const start = first.subarray(0, await pipe.fill(first, 0, FIRST_BYTES));
  const header = parseElfHeader(start);
  if (!header) return without(start, start.length === 0 ? "nothing came" : "it is not an ELF core");
  const table = tableBytes(start, header);
  if (!table.ok) return without(start, table.why);
  const whole = Buffer.allocUnsafeSlow(Math.max(table.bytes, start.length));
  start.copy(whole);
  const bytes = whole.subarray(0, await pipe.fill(whole, start.length, table.bytes));
  const layout = layoutOf(readerOf(bytes));
  if (!layout.ok) return without(bytes, layout.why);
  const plan = directlyCopyable(header, layout.headers);
  return {
    bytes,
    expectedBytes: layout.expectedBytes,
    table: layout,
    plan: plan.ok ? plan : undefined,
    noPlan: plan.ok ? undefined : plan.why,
  };
}

const without = (bytes: Buffer, noPlan: string): CoreHead => ({
  bytes,
  expectedBytes: undefined,
  table: undefined,
  plan: undefined,
  noPlan,
});
