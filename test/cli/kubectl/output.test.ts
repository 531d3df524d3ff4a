/** What people see of Coredumps; `GOLDEN=write` writes the files anew, to be read before they are committed. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { columns, ORDERS } from "../../../src/cli/kubectl/output/rows.ts";
import { screen } from "../../../src/cli/kubectl/output/screen.ts";
import { table } from "../../../src/cli/output/table.ts";
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

const gone: readonly { status: object; next: RegExp }[] = [
  { status: { state: "Denied" }, next: /kubectl get coredumpquotas -n shop .*ask for a larger quota/ },
  { status: { state: "Refused", reason: "OptedOut" }, next: /Without the label coredump\.fujitsu\.com\/no-coredump/ },
  {
    status: { state: "Refused", reason: "TooBig" },
    next: /annotation coredump\.fujitsu\.com\/max-dump-size .*node node-1/,
  },
  { status: { state: "Refused", reason: "NoRoom" }, next: /Ask who runs node node-1 for more room/ },
  { status: { state: "Evicted", reason: "MadeRoom" }, next: /Ask who runs node node-1 for more room/ },
  { status: { state: "Lost", reason: "KernelGaveUp" }, next: /log of node node-1 .*journalctl -k/ },
  { status: { state: "Deleted", reason: "constructor" }, next: /Nothing of it is left but this record/ },
];
for (const { status, next } of gone)
  test(`screen() of ${JSON.stringify(status)} says what to do, and does not lead to itself`, () => {
    const [, words = ""] = /\n {2}Next {6}(.*)\n/.exec(screen(coredump("a-b", { status }))) ?? [];
    assert.match(words, next);
    assert.doesNotMatch(words, /coredump info/);
  });

const deliveries = [
  {
    status: "True",
    message: "claim cores: /var/coredump/a.core of container app",
    says: "delivered, claim cores: /var/coredump/a.core of container app",
  },
  {
    status: "False",
    message: "claim cores: no room in it; it will be tried again",
    says: "not delivered, claim cores: no room in it; it will be tried again",
  },
  { status: "Unknown", message: "for claim cores", says: "not there yet, claim cores" },
];
for (const { status, message, says } of deliveries)
  test(`screen() tells a delivery: ${says}`, () => {
    const conditions = [{ type: "Delivered", status, reason: "X", message }];
    assert.ok(screen(coredump("a-b", { status: { conditions } })).includes(`\n  Claim     ${says}\n`));
  });
