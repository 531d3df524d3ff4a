/** What a new state takes: its row in src/domain/states.ts, the schema, the page, and what takes a dump there. Forgetting one fails here. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import {
  awaitsStore,
  isAllowed,
  isCharged,
  isDecision,
  isGone,
  isOnItsWay,
  isOver,
  isState,
  isUndecided,
  STATES,
  traitsOf,
} from "../../src/domain/states.ts";
import { ROOT } from "../support/paths.ts";

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const SRC = globSync("src/**/*.ts", { cwd: ROOT }).map((path) => ({ path, text: read(path) }));
const ALIKE = STATES.join("|");

const sets = [
  { is: isOnItsWay, of: ["Capturing", "Captured", "Created", "Allowed", "FailedToSave"] },
  { is: awaitsStore, of: ["Captured", "Created", "Allowed", "FailedToSave"] },
  { is: isUndecided, of: ["Capturing", "Captured", "Created"] },
  { is: isAllowed, of: ["Allowed", "FailedToSave"] },
  { is: isCharged, of: ["Allowed", "Saved", "FailedToSave"] },
  { is: isOver, of: ["Denied", "Saved", "Refused", "Evicted", "Deleted", "Lost"] },
  { is: isGone, of: ["Denied", "Refused", "Evicted", "Deleted", "Lost"] },
  { is: isDecision, of: ["Denied", "Saved", "Refused", "Evicted", "Deleted"] },
];
for (const [at, { is, of }] of sets.entries())
  test(`set ${at} of states is ${of.join(", ")}`, () => {
    assert.deepEqual(STATES.filter(is), of);
    for (const other of ["", "Frozen", "constructor", undefined]) assert.ok(!is(other), String(other));
  });

test("the API's schema takes every state, and no other", () => {
  const { spec } = parse(read("install/crd/coredumps.yaml"));
  const { status } = spec.versions[0].schema.openAPIV3Schema.properties;
  assert.deepEqual(status.properties.state.enum, STATES);
});

test("docs/architecture.md has a row for every state", () => {
  const rows = [...read("docs/architecture.md").matchAll(/^\| ((?:[A-Z][A-Za-z]+ ?)+) \|.*\|.*\|$/gm)].flatMap(
    ([, cell = ""]) => cell.split(" ").filter(isState),
  );
  assert.deepEqual(rows.toSorted(), STATES.toSorted());
});

test("something takes a dump into each state", () => {
  const elsewhere = SRC.filter(({ path }) => path !== "src/domain/states.ts").map(({ text }) => text);
  for (const state of STATES)
    assert.ok(
      elsewhere.some((text) => text.includes(`"${state}"`)),
      state,
    );
});

/** What lists some all the same. */
const OTHERS: readonly string[] = [
  "src/domain/states.ts",
  "src/cli/commands/crash-test.ts", // what may be waited for
  "src/roles/agent/metrics.ts", // a counter's meaning
];

test("no other file has a set or a table of states", () => {
  const list = new RegExp(`\\[\\s*"(?:${ALIKE})"(?:,\\s*"\\w+")*,\\s*"(?:${ALIKE})"`);
  const chain = new RegExp(`[sS]tate === "(?:${ALIKE})" \\|\\| [\\w.]*[sS]tate === "(?:${ALIKE})"`);
  const rows = new RegExp(`^ +(?:${ALIKE}): .*\\n +(?:${ALIKE}): `, "m");
  const found = SRC.filter(
    ({ path, text }) =>
      !OTHERS.includes(path) && (list.test(text) || chain.test(text) || rows.test(text) || text.includes("<State,")),
  );
  assert.deepEqual(
    found.map(({ path }) => path),
    [],
  );
});

test("every state has words", () => {
  for (const state of STATES) assert.match(traitsOf(state)?.why ?? "", /^[a-z][^.]+$/, state);
  assert.equal(traitsOf("Frozen"), undefined);
});
