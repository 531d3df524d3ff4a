import assert from "node:assert/strict";
import { test } from "node:test";
import type { DumpRecord } from "../../src/domain/dump.ts";
import { DumpError } from "../../src/domain/failures.ts";
import { advance, mayDropLocalCopy } from "../../src/domain/life-cycle.ts";
import { mayFollow, STATES, type State } from "../../src/domain/states.ts";

const NOW = new Date("2026-11-21T07:21:03.512Z");
const inState = (state: State) => ({ id: "x", state, updated: "", message: null }) as DumpRecord;
const pairs = STATES.flatMap((from) => STATES.map((to) => ({ from, to })));

const next = (from: State) => STATES.filter((to) => mayFollow(from, to));
/** All states from which, or to which, there is a way. */
function reachable(from: State): ReadonlySet<State> {
  const seen = new Set<State>();
  for (const queue = [...next(from)]; queue.length > 0; ) {
    const state = queue.pop() ?? assert.fail();
    if (!seen.has(state)) queue.push(...next(state));
    seen.add(state);
  }
  return seen;
}

test("advance() takes exactly the steps of the diagram, and staying is none", () => {
  for (const { from, to } of pairs) {
    const step = () => advance(inState(from), to, {}, NOW);
    if (from === to || mayFollow(from, to)) assert.equal(step().state, to);
    else assert.throws(step, (error: unknown) => error instanceof DumpError && error.code === "UNEXPECTED");
  }
});

test("advance() leaves the record it was given, and dates the new one", () => {
  const before = Object.freeze(inState("Capturing"));
  const after = advance(before, "Captured", { message: "done" }, NOW);
  assert.deepEqual([after.message, after.updated, before.state], ["done", "2026-11-21T07:21:03.512Z", "Capturing"]);
});

test("advance() lets no change smuggle in another state", () => {
  assert.equal(advance(inState("Capturing"), "Captured", { state: "Saved" }, NOW).state, "Captured");
});

test("the way of an ordinary dump is open", () => {
  const way = ["Capturing", "Captured", "Created", "Allowed", "FailedToSave", "Saved", "Deleted"] as const;
  for (const [i, to] of way.slice(1).entries()) assert.ok(mayFollow(way[i] as State, to), `${way[i]} to ${to}`);
});

test("every dump can come to its end, and no way leads round", () => {
  for (const state of STATES) {
    assert.ok(state === "Deleted" || reachable(state).has("Deleted"), state);
    assert.ok(!reachable(state).has(state), `${state} comes round to itself`);
  }
});

test("every state but Capturing comes after it", () => {
  assert.deepEqual([...reachable("Capturing")].sort(), STATES.filter((state) => state !== "Capturing").sort());
});

for (const state of ["Denied", "Refused", "Evicted", "Lost", "Saved", "Restricted"] as const) {
  test(`${state} never becomes an upload`, () => {
    assert.ok(!["Created", "Allowed", "FailedToSave"].some((to) => reachable(state).has(to as State)));
  });
}

test("mayDropLocalCopy() is true of decisions, never of errors or of dumps under way", () => {
  const dropped = STATES.filter((state) => mayDropLocalCopy({ state }));
  assert.deepEqual([...dropped].sort(), ["Deleted", "Denied", "Evicted", "Refused", "Saved"]);
});

test("a dropped copy is never needed again", () => {
  for (const { from, to } of pairs) {
    if (mayFollow(from, to) && mayDropLocalCopy({ state: from }))
      assert.ok(mayDropLocalCopy({ state: to }), `${from} to ${to}`);
  }
});
