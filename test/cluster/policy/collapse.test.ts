import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { collapse, type Idle } from "../../../src/cluster/policy/collapse.ts";

const record = (name: string, timeMs: number, more: Partial<Idle> = {}): Idle => ({
  ...{ name, uid: `uid-${name}`, state: "Denied", likeness: "nginx", timeMs, counted: [] },
  ...more,
});
const names = (records: readonly Idle[]): string[] => records.map(({ name }) => name);

test("collapse() leaves as many as may stay", () => {
  assert.deepEqual(collapse([record("a", 1), record("b", 2)], 2, 100), { spent: [], groups: [] });
});

test("collapse() lets the oldest give way to the next of its kind", () => {
  const records = [record("c", 3), record("a", 1), record("x", 2, { likeness: "redis" }), record("d", 4)];
  const [group, ...others] = collapse(records, 3, 100).groups;
  assert.deepEqual(others, []);
  assert.equal(group?.heir.name, "c");
  assert.deepEqual(names(group?.records ?? []), ["a"]);
});

test("collapse() gives one that is alone of its kind to the oldest that stays", () => {
  const records = [record("a", 1, { state: "Lost" }), record("b", 2), record("c", 3)];
  assert.equal(collapse(records, 2, 100).groups[0]?.heir.name, "b");
});

test("collapse() counts nobody twice when its controller died before the deletes", () => {
  const left = record("a", 1);
  const records = [left, record("b", 2, { counted: [left.uid] }), record("c", 3)];
  assert.deepEqual(collapse(records, 1, 100), { spent: [left], groups: [{ heir: records[2], records: [records[1]] }] });
});

test("collapse() touches nothing that holds storage, waits, or is kept on a node", () => {
  const states = ["Capturing", "Captured", "Created", "Allowed", "Saved", "FailedToSave", "Restricted", ""];
  const records = states.map((state, index) => record(state, index, { state }));
  assert.deepEqual(collapse(records, 1, 100), { spent: [], groups: [] });
});

test("collapse() always leaves as many as may stay, each one that goes in one group, with an heir that stays", () => {
  const any = fc.uniqueArray(
    fc.record({
      name: fc.string({ minLength: 1, maxLength: 3 }),
      state: fc.constantFrom("Denied", "Lost", "Refused", "Saved"),
      likeness: fc.constantFrom("a", "b"),
      timeMs: fc.integer({ min: 0, max: 9 }),
    }),
    { selector: ({ name }) => name, maxLength: 30 },
  );
  fc.assert(
    fc.property(any, fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 30 }), (some, most, batch) => {
      const records = some.map((each) => ({ ...each, uid: each.name, counted: [] }));
      const { spent, groups } = collapse(records, most, batch);
      const idle = records.filter(({ state }) => state !== "Saved");
      const going = groups.flatMap(({ records }) => records);
      assert.deepEqual(spent, []);
      assert.equal(going.length, Math.min(Math.max(idle.length - most, 0), batch));
      assert.equal(new Set(going).size, going.length);
      for (const { heir } of groups) assert.ok(!going.includes(heir) && heir.state !== "Saved");
      const oldestStaying = Math.min(...idle.filter((each) => !going.includes(each)).map(({ timeMs }) => timeMs));
      assert.ok(going.every(({ timeMs }) => timeMs <= oldestStaying));
    }),
  );
});
