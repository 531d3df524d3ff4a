/** What people see of Coredumps; `GOLDEN=write` writes the files anew, to be read before they are committed. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { table } from "../../../src/commands/output/table.ts";
import { columns, ORDERS } from "../../../src/commands/plugin/output/rows.ts";
import { screen } from "../../../src/commands/plugin/output/screen.ts";
import { printable } from "../../../src/domain/text.ts";
import { BARE, COREDUMPS, coredump, HOSTILE, NOW } from "./coredumps.ts";

const ALL = [...COREDUMPS, HOSTILE, BARE];

function golden(name: string, text: string): void {
  const path = join(import.meta.dirname, "fixtures", name);
  if (process.env["GOLDEN"] === "write") writeFileSync(path, text);
  assert.equal(text, readFileSync(path, "utf8"));
}

test("columns() make the table as it was agreed", () => golden("list.txt", table(columns(NOW), ALL)));
test("columns() make the wide table, with namespaces, as it was agreed", () =>
  golden("wide.txt", table(columns(NOW, { wide: true, namespaces: true }), ALL)));
test("screen() prints what it was agreed to print", () =>
  golden("info.txt", ALL.map((each) => screen(each)).join("\n")));

test("nothing that a crashed process chose reaches a terminal raw", () => {
  for (const text of [screen(HOSTILE), table(columns(NOW, { wide: true }), [HOSTILE])]) {
    const lines = text.split("\n").join("");
    assert.equal(lines, printable(lines));
  }
});

test("nothing unknown is called null or undefined", () => {
  for (const text of [screen(BARE), table(columns(NOW, { wide: true }), [BARE])])
    assert.doesNotMatch(text, /null|undefined|NaN/);
});

test("screen() makes commands to paste for the namespace that was looked into", () => {
  assert.match(screen(coredump("a-b"), " -n shop"), /kubectl coredump dump a-b nginx\.core -n shop /);
});

for (const [order, names] of Object.entries({
  age: ["new", "old"],
  size: ["old", "new"],
  name: ["new", "old"],
  state: ["old", "new"],
})) {
  test(`ORDERS sort by ${order}`, () => {
    const rows = [
      coredump("old", { spec: { size: "2Gi", dumptime: "2026-11-20T00:00:00.000Z" }, status: { state: "Denied" } }),
      coredump("new", { spec: { size: "1024Mi" } }),
    ];
    assert.deepEqual(
      rows.sort(ORDERS[order]).map(({ metadata }) => metadata.name),
      names,
    );
  });
}
