/** Lines of install, uninstall, doctor and check: a mark, what, and what to do. */
import { printable } from "../../domain/text.ts";
import type { Step } from "../../node/install/step.ts";
import { coloured } from "./table.ts";

const MARKS = { ok: ["✔", "green"], warning: ["!", "yellow"], problem: ["✘", "red"] } as const;

/** `✔ pattern     ours, 94 of 127 bytes`; a hint on a line of its own below its text. */
export function stepLines(steps: readonly Step[]): string {
  const width = Math.max(9, ...steps.map(({ what }) => what.length)) + 1;
  return steps
    .map(({ level, what, text, hint }) => {
      const [mark, colour] = MARKS[level];
      const head = what === "" ? " ".repeat(width + 2) : `${coloured(colour, mark)} ${what.padEnd(width)}`;
      const below = hint === undefined ? "" : `\n${" ".repeat(width + 2)}${printable(hint)}`;
      return `${head}${printable(text)}${below}\n`;
    })
    .join("");
}
