import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isDumpId, newDumpId, shortId } from "../../src/domain/id.ts";

const times = fc.integer({ min: 0, max: 2 ** 48 - 1 }); // the 48 bits that a UUIDv7 has for it

test("newDumpId() is a UUIDv7 that holds its time", () => {
  fc.assert(
    fc.property(times, (timeMs) => {
      const id = newDumpId(timeMs);
      assert.ok(isDumpId(id), id);
      assert.equal(Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16), timeMs);
    }),
  );
});

test("newDumpId() sorts by time", () => {
  fc.assert(
    fc.property(times, times, (one, other) => {
      if (one !== other) assert.equal(newDumpId(one) < newDumpId(other), one < other);
    }),
  );
});

test("newDumpId() survives a clock before 1970", () => assert.ok(isDumpId(newDumpId(-1))));

test("newDumpId() and its short form differ within one millisecond", () => {
  const ids = Array.from({ length: 100 }, () => newDumpId(0));
  assert.equal(new Set(ids.map(shortId)).size, 100);
});

test("shortId() is the last twelve hex digits", () => {
  assert.equal(shortId("019aa1b2-c3d4-7e5f-8a9b-3f9c2a71b0de"), "3f9c2a71b0de");
});

const strangers = [
  { on: "a UUIDv4", id: "019aa1b2-c3d4-4e5f-8a9b-3f9c2a71b0de" },
  { on: "capitals", id: "019AA1B2-C3D4-7E5F-8A9B-3F9C2A71B0DE" },
  { on: "another variant", id: "019aa1b2-c3d4-7e5f-ca9b-3f9c2a71b0de" },
  { on: "a line end behind it", id: "019aa1b2-c3d4-7e5f-8a9b-3f9c2a71b0de\n" },
  { on: "a way out of the cache", id: "../../../etc/passwd" },
  { on: "nothing", id: "" },
];
for (const { on, id } of strangers) test(`isDumpId() refuses ${on}`, () => assert.equal(isDumpId(id), false));
