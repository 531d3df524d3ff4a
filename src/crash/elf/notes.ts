/**
 * The notes of a core, in order. They can take 100 MB (ten thousand threads with their vector registers), so only
 * their heads are read, and of their contents what the visitor asks for.
 */
import { fieldsOf, type ReadAt } from "./bytes.ts";
import type { ElfHeader } from "./header.ts";
import type { ProgramHeader } from "./program-headers.ts";
import { before0 } from "./structures.ts";

export interface Note {
  /** Whose numbering `type` follows: "CORE", "LINUX", …; cut after 16 bytes. */
  readonly name: string;
  readonly type: number;
  readonly descBytes: number;
  /** The first bytes of its content; fewer where the note or the data end. Valid during the visit only. */
  desc(maxBytes: number): Uint8Array;
}

/** Some hundred thousand threads; hostile notes of 12 bytes each would otherwise keep us for long. */
export const MAX_NOTES = 1024 * 1024;
const HEAD_BYTES = 12; // n_namesz, n_descsz, n_type: 4 bytes each in both classes
const NAME_BYTES = 16;
const WINDOW_BYTES = 4096;
const REACHABLE_BYTES = 2n ** 53n;

/** Shows each note to `visit`. @returns whether all were seen: false where the data or one note's sizes end too early */
export function walkNotes(
  read: ReadAt,
  segment: Pick<ProgramHeader, "offsetBytes" | "fileBytes">,
  header: Pick<ElfHeader, "bits" | "littleEndian">,
  visit: (note: Note) => void,
): boolean {
  if (segment.offsetBytes + segment.fileBytes > REACHABLE_BYTES) return false;
  const bytesAt = windowed(read);
  const end = Number(segment.offsetBytes + segment.fileBytes);
  let at = Number(segment.offsetBytes);
  for (let count = 0; at < end; count++) {
    const head = bytesAt(at, HEAD_BYTES + NAME_BYTES);
    if (head.length < HEAD_BYTES || count === MAX_NOTES) return false;
    const field = fieldsOf(head, header);
    const [nameBytes, descBytes] = [field.u32(0), field.u32(4)];
    const descAt = at + HEAD_BYTES + padded(nameBytes);
    if (descAt + descBytes > end) return false;
    visit({
      name: textBefore0(head.subarray(HEAD_BYTES, HEAD_BYTES + nameBytes)),
      type: field.u32(8),
      descBytes,
      desc: (maxBytes) => bytesAt(descAt, Math.min(descBytes, maxBytes)),
    });
    at = descAt + padded(descBytes);
  }
  return true;
}

/** Names and contents are padded to 4 bytes, in 64-bit cores too. */
const padded = (bytes: number): number => Math.ceil(bytes / 4) * 4;

const textBefore0 = (bytes: Uint8Array): string => Buffer.from(before0(bytes)).toString("latin1");

/** Small neighbouring reads out of one larger one. */
function windowed(read: ReadAt): (at: number, lengthBytes: number) => Uint8Array {
  let from = 0;
  let held: Uint8Array = new Uint8Array();
  return (at, lengthBytes) => {
    if (at < from || at + lengthBytes > from + held.length) {
      held = read(BigInt(at), Math.max(lengthBytes, WINDOW_BYTES));
      from = at;
    }
    return held.subarray(at - from, at - from + lengthBytes);
  };
}
