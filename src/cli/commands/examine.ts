/** What a core in the cache proves to be, from its bytes alone, against what its record says. */
import { fstatSync } from "node:fs";
import type { Checked } from "../../crash/elf/bytes.ts";
import { fileReader } from "../../crash/elf/file-reader.ts";
import { type CoreLayout, layoutOf } from "../../crash/elf/layout.ts";
import type { DumpRecord } from "../../domain/dump.ts";
import { shortfall } from "../output/describe.ts";
import { type Finding, findingOf } from "../output/findings.ts";
import { digestOf, openedCore } from "./core-file.ts";

export interface CacheFinding extends Finding {
  readonly id: string;
  readonly executable: string;
  /** What is wrong, in words; null when nothing is. */
  readonly problem: string | null;
}

export async function examine(
  records: readonly DumpRecord[],
  pathOf: (record: DumpRecord) => string,
): Promise<CacheFinding[]> {
  const findings: CacheFinding[] = [];
  for (const record of records) findings.push(await examineOne(record, pathOf(record)));
  return findings;
}

async function examineOne(record: DumpRecord, path: string): Promise<CacheFinding> {
  using core = openedCore(record, path);
  const logicalBytes = fstatSync(core.fd).size;
  const layout = layoutOf(fileReader(core.fd));
  const sha256 = await digestOf(core.fd);
  const finding = findingOf(logicalBytes, layout, sha256, record.core.sha256, mayHaveGaps(record));
  const problem = problemOf(record, layout, logicalBytes, finding.checksum);
  return { id: record.id, executable: record.executable, ...finding, problem };
}

/** Two writers copy at once: where they were killed the file may have its full length, and yet miss pages before its end. */
const mayHaveGaps = ({ core }: DumpRecord): boolean => core.truncation === "handler-killed";

function problemOf(
  record: DumpRecord,
  layout: Checked<CoreLayout>,
  logicalBytes: number,
  checksum: Finding["checksum"],
): string | null {
  if (checksum === "wrong") return "is not what was captured: its checksum is wrong";
  if (!layout.ok) return `is not a whole core: ${layout.why}`;
  if (layout.expectedBytes === BigInt(logicalBytes) && !mayHaveGaps(record)) return null;
  if (layout.expectedBytes < BigInt(logicalBytes) && checksum === "right") return null; // all of it is there, and came so
  if (layout.expectedBytes < BigInt(logicalBytes))
    return `is longer than its headers say (${logicalBytes} of ${layout.expectedBytes} bytes)`;
  return record.core.complete === false
    ? `is incomplete (${shortfall(record)})`
    : `is cut short at ${logicalBytes} of ${layout.expectedBytes} bytes`;
}
