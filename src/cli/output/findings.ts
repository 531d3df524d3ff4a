/** What `verify` found, as a table, JSON or YAML. */
import { shortId } from "../../domain/id.ts";
import { printable } from "../../domain/text.ts";
import { bytes } from "./describe.ts";
import { json, yaml } from "./document.ts";
import { table } from "./table.ts";

export interface Finding {
  readonly id: string;
  readonly executable: string;
  /** Length of the file now, and what its program headers say it must be (null: they cannot be believed). */
  readonly logicalBytes: number | null;
  readonly expectedBytes: number | null;
  readonly complete: boolean;
  readonly sha256: string | null;
  /** `unknown`: the record has none to compare with (yet). */
  readonly checksum: "right" | "wrong" | "unknown";
  /** What is wrong, in words; null when nothing is. */
  readonly problem: string | null;
}

export async function renderFindings(findings: readonly Finding[], format: string): Promise<string> {
  if (format === "json") return json(findings);
  if (format === "yaml") return await yaml(findings);
  if (findings.length === 0) return "";
  return table(
    [
      { title: "ID", text: ({ id }) => shortId(id) },
      { title: "EXECUTABLE", text: ({ executable }) => printable(executable), maxColumns: 24 },
      { title: "SIZE", text: ({ logicalBytes }) => bytes(logicalBytes) },
      { title: "EXPECTED", text: ({ expectedBytes }) => bytes(expectedBytes) },
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
    ],
    findings,
  );
}
