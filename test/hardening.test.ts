/** docs/hardening.md is the list of attacks with what keeps each out: a row whose test is gone keeps nothing out. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "./support/paths.ts";

const SEPARATOR = " | ";
/** `bin/bench CASE`, for what is a figure. */
const BENCH = /`bin\/bench (\w+)`/;

/** `{a,b}/c` of a shell: what the rows use. */
const spelt = (cell: string): string =>
  cell.replace(/((?:[\w-]+\/)*)\{([^}]*)\}/g, (_, folder: string, names: string) =>
    names
      .split(",")
      .flatMap((name) => folder + name.trim())
      .join(" "),
  );

const lines = readFileSync(join(ROOT, "docs/hardening.md"), "utf8").split("\n");
const rows = lines
  .map((text, index) => ({ text, number: index + 1 }))
  .filter(({ text }) => text.startsWith("| ") && !text.startsWith("| tried |"));

for (const { text, number } of rows)
  test(`hardening.md:${number} names tests that exist, and their cases`, () => {
    const cell = text.replace(/ \|$/, "").split(SEPARATOR).at(-1) ?? "";
    const bench = BENCH.exec(cell)?.[1];
    if (bench !== undefined) return assert.ok(existsSync(join(ROOT, "test/bench", `${bench}.ts`)), bench);
    const names = spelt(cell.replace(/"[^"]*"/g, "")).match(/[\w-]+(?:\/[\w-]+)+|\bgenerated\b/g) ?? [];
    assert.ok(names.length > 0, cell);
    const sources = names.map((name) => readFileSync(join(ROOT, "test", `${name}.test.ts`), "utf8"));
    for (const [, said = ""] of cell.matchAll(/"([^"]*)"/g))
      assert.ok(
        sources.some((source) => source.includes(said)),
        `no ${JSON.stringify(said)} in ${names}`,
      );
  });

test("hardening.md has tables without a row beside them", () => {
  for (const { text, number } of rows) assert.match(lines[number - 2] ?? "", /^\|/, text.slice(0, 60));
});
