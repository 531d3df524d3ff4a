import { shortId } from "../../domain/id.ts";
import { printable } from "../../domain/text.ts";
import type { Finding } from "../examine.ts";
import { bytes } from "./describe.ts";
import { json, yaml } from "./document.ts";
import { table } from "./table.ts";

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
