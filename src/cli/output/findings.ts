/** What cores prove to be from their bytes alone, as a table and as a verdict. */
import type { Checked } from "../../crash/elf/bytes.ts";
import type { CoreLayout } from "../../crash/elf/layout.ts";
import { DumpError } from "../../domain/failures.ts";
import { formatBytes, jsonBytes } from "../../domain/units.ts";
import { rendered } from "./document.ts";
import { type Column, table } from "./table.ts";

export interface Finding {
  /** Length of the core, and what its program headers say it must be (null: they cannot be believed). */
  readonly logicalBytes: number;
  readonly expectedBytes: number | null;
  readonly complete: boolean;
  readonly sha256: string;
  /** `unknown`: there is none to compare with (yet). */
  readonly checksum: "right" | "wrong" | "unknown";
}

/** @param stated  the digest that it should have  @param mayLack  pages before its end may be missing */
export const findingOf = (
  logicalBytes: number,
  layout: Checked<CoreLayout>,
  sha256: string,
  stated: string | null | undefined,
  mayLack: boolean,
): Finding => ({
  logicalBytes,
  expectedBytes: layout.ok ? jsonBytes(layout.expectedBytes) : null,
  complete: layout.ok && layout.expectedBytes <= BigInt(logicalBytes) && !mayLack,
  sha256,
  checksum: stated === null || stated === undefined ? "unknown" : stated === sha256 ? "right" : "wrong",
});

/** @param naming  the columns that say which core it is */
export const renderFindings = <F extends Finding>(
  findings: readonly F[],
  format: unknown,
  naming: readonly Column<F>[],
): Promise<string> =>
  rendered(findings, format, () => (findings.length === 0 ? "" : table([...naming, ...COLUMNS], findings)));

const COLUMNS: readonly Column<Finding>[] = [
  { title: "SIZE", text: ({ logicalBytes }) => formatBytes(logicalBytes) },
  { title: "EXPECTED", text: ({ expectedBytes }) => (expectedBytes === null ? null : formatBytes(expectedBytes)) },
  {
    title: "COMPLETE",
    text: ({ complete }) => (complete ? "yes" : "no"),
    colour: ({ complete }) => (complete ? undefined : "red"),
  },
  {
    title: "CHECKSUM",
    text: ({ checksum }) => checksum,
    colour: ({ checksum }) => (checksum === "wrong" ? "red" : undefined),
  },
];

/** @throws DumpError for the worst that was found; nothing when all is well */
export function verdictOn<F extends Finding>(
  findings: readonly F[],
  isBad: (finding: F) => boolean,
  words: (bad: readonly F[]) => string,
): void {
  const bad = findings.filter(isBad);
  if (bad.length === 0) return;
  const isCorrupt = bad.some(({ checksum }) => checksum === "wrong");
  throw new DumpError(
    isCorrupt ? "DUMP_CORRUPT" : "DUMP_INCOMPLETE",
    `Cannot confirm ${bad.length} of ${findings.length}: ${words(bad)}`,
  );
}
