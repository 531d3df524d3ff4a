import assert from "node:assert/strict";
import { test } from "node:test";
import { OPT_OUT_LABEL, optedOut } from "../../src/domain/wishes.ts";

const cases = [
  { on: "no label", labels: {}, want: false },
  { on: "labels that nobody could tell", labels: null, want: false },
  { on: "true", labels: { [OPT_OUT_LABEL]: "true" }, want: true },
  { on: "false", labels: { [OPT_OUT_LABEL]: "false" }, want: false },
  { on: "an empty value", labels: { [OPT_OUT_LABEL]: "" }, want: false },
  { on: "another label", labels: { "no-coredump": "true" }, want: false },
] as const;
for (const { on, labels, want } of cases) {
  test(`optedOut() by ${on}: ${want}`, () => assert.equal(optedOut(labels), want));
}
