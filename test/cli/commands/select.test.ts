import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { selected } from "../../../src/cli/commands/select.ts";
import { shortId } from "../../../src/domain/id.ts";
import { NOW, RECORDS } from "./records.ts";

const [WEB, ETL, SSHD, LONELY, UNKNOWN] = RECORDS.map(({ id }) => shortId(id));

const cases = [
  { argv: {}, want: [WEB, ETL, SSHD, LONELY, UNKNOWN] },
  { argv: { namespace: "shop" }, want: [WEB] },
  { argv: { namespace: "sho" }, want: [] }, // whole names only
  { argv: { namespace: "*" }, want: [WEB, ETL] }, // any name, but a name
  { argv: { pod: "web-*" }, want: [WEB] },
  { argv: { pod: "w.b-0" }, want: [] }, // no regular expression
  { argv: { pod: "web-0", namespace: "batch" }, want: [] }, // every filter counts
  { argv: { container: "lonely" }, want: [LONELY] },
  { argv: { container: "4be07c" }, want: [WEB] }, // beginning of an id
  { argv: { container: "4be" }, want: [] }, // too few digits to mean one
  { argv: { executable: "python*" }, want: [LONELY] },
  { argv: { since: "15s" }, want: [WEB, UNKNOWN] },
  { argv: { since: "1d" }, want: [WEB, ETL, SSHD, UNKNOWN] },
  { argv: { state: ["Refused", "Lost"] }, want: [ETL, UNKNOWN] },
];
for (const { argv, want } of cases) {
  test(`selected() by ${JSON.stringify(argv)}`, () => {
    assert.deepEqual(
      selected(RECORDS, argv, NOW).map(({ id }) => shortId(id)),
      want,
    );
  });
}

test("selected() takes any text as a name, and answers soon", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("*", "a", "(", "[", "\\", "^", "漢", "\n") }), (pod) => {
      const [first] = RECORDS;
      assert.ok(first?.pod);
      const named = { ...first, pod: { ...first.pod, name: pod } };
      assert.deepEqual(selected([named], { pod }, NOW), [named]);
    }),
  );
});
