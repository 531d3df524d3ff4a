/** Tables for a terminal: columns, widths, colours. */
import { styleText } from "node:util";
import { printable } from "../../domain/text.ts";
import { clip, displayWidth, padEnd } from "./width.ts";

export type Colour = "green" | "yellow" | "red" | "gray" | "bold";

export interface Column<Row> {
  readonly title: string;
  /** Whatever text it is, the table makes it printable. */
  readonly text: (row: Row) => string | number | boolean | null | undefined;
  /** What stands there when the text is not known; `unknown` unless another word is given. */
  readonly none?: string;
  /** What does not fit is cut; without it nothing is. */
  readonly maxColumns?: number;
  /** For lines of one table that are printed at different times. */
  readonly leastColumns?: number;
  readonly colour?: (row: Row) => Colour | undefined;
}

/** Aligned columns under their titles, a line a row; the last column is not padded. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = columns.map(({ title, text, none = "unknown", maxColumns, leastColumns = 0, colour }) => {
    const texts = rows.map((row) => {
      const value = text(row) ?? "";
      const line = value === "" ? none : printable(String(value));
      return maxColumns === undefined ? line : clip(line, maxColumns);
    });
    const width = Math.max(leastColumns, title.length, ...texts.map(displayWidth));
    return {
      width,
      lines: [paint("bold", title, width), ...rows.map((row, at) => paint(colour?.(row), texts[at], width))],
    };
  });
  const lines = Array.from({ length: rows.length + 1 }, (_, line) =>
    cells.map((column) => column.lines[line]).join("  "),
  );
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

/** Colour only on a terminal and not under NO_COLOR: `styleText` looks at stdout and the environment itself. */
export const coloured = (colour: Colour | undefined, text: string): string =>
  colour === undefined ? text : styleText(colour, text, { stream: process.stdout });

/** Padding stays outside the colour, so that trailing blanks can be cut. */
function paint(colour: Colour | undefined, text = "", width = 0): string {
  return coloured(colour, text) + padEnd(text, width).slice(text.length);
}
