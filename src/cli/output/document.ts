/**
 * Records for machines. The bytes a crashed process chose stay as they are, but nothing reaches a terminal raw: what
 * JSON leaves alone (C1 controls, bidi overrides) is written as `\uXXXX`, which JSON and YAML read back the same.
 */
import { printable } from "../../domain/text.ts";

export const json = (value: unknown): string => escaped(`${JSON.stringify(value, null, 2)}\n`);

/** The library is loaded only here: most calls never want YAML. */
export async function yaml(value: unknown): Promise<string> {
  const { Document, isScalar, visit } = await import("yaml");
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_, node) {
      // Escapes mean something between double quotes only.
      if (isScalar(node) && typeof node.value === "string" && printable(node.value) !== node.value) {
        node.type = "QUOTE_DOUBLE";
      }
    },
  });
  return escaped(
    document.toString({ lineWidth: 0, blockQuote: false, doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER }),
  );
}

/** A value as the format asks: for machines, else what people read. */
export async function rendered(value: unknown, format: unknown, forPeople: () => string): Promise<string> {
  if (format === "json") return json(value);
  return format === "yaml" ? await yaml(value) : forPeople();
}

const escaped = (text: string): string =>
  text.replace(/[^\x20-\x7e\n]/gu, (c) => {
    if (printable(c) === c) return c;
    return [...Array(c.length).keys()].map((at) => `\\u${c.charCodeAt(at).toString(16).padStart(4, "0")}`).join("");
  });
