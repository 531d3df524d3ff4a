import assert from "node:assert/strict";
import { test } from "node:test";
import { markerIn, markerText } from "../../../src/store/bundle/marker.ts";

test("markerIn() reads what markerText() wrote", () => {
  assert.deepEqual(markerIn(markerText("5d0c")), { version: 1, clusterUid: "5d0c" });
});

for (const text of ["", "{", "null", "[]", "{}", '{"version":2,"clusterUid":"x"}', '{"version":1,"clusterUid":""}'])
  test(`markerIn() takes ${JSON.stringify(text)} for nobody's`, () => assert.equal(markerIn(text), undefined));
