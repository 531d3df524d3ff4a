import assert from "node:assert/strict";
import { test } from "node:test";
import { rounded, times } from "./pairs.ts";

const cases = [
  { on: "an odd number, in any order", seconds: [3, 1, 2], want: { medianS: 2, minS: 1, maxS: 3 } },
  { on: "an even number: the middle of the two", seconds: [4, 1, 3, 2], want: { medianS: 2.5, minS: 1, maxS: 4 } },
  { on: "one", seconds: [0.0123456], want: { medianS: 0.0123, minS: 0.0123, maxS: 0.0123 } },
];

for (const { on, seconds, want } of cases) test(`times() of ${on}`, () => assert.deepEqual(times(seconds), want));

test("rounded() keeps three digits, wherever the point is", () => {
  assert.deepEqual([rounded(1234.5), rounded(0.00012345), rounded(9.999)], [1230, 0.000123, 10]);
});
