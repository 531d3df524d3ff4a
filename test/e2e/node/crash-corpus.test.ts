/** Every program of the corpus crashes under the real kernel; each stack is the one that was written from its source. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { crashOf } from "../../../src/crash/crash.ts";
import { readerOf } from "../../../src/elf/bytes.ts";
import { BUILDS } from "../../crash/cases.ts";
import { crashIn, namer, wrongWith } from "../../crash/check.ts";
import { type Crashed, corpus } from "../../crash/corpus.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "testbed", "command:gcc", "command:musl-gcc", "command:strip", "command:nm");

test("crashOf() finds the stacks that were written from the sources", { skip }, async (t) => {
  const crashed = await corpus();
  assert.ok(crashed.length >= 150, `${crashed.length} crashes`);
  for (const [build, crashes] of Map.groupBy(crashed, ({ build }) => build.name)) {
    await t.test(`${build}: ${crashes.length} crashes`, () => {
      const wrong = crashes.flatMap((each) => problemsOf(each));
      assert.deepEqual(wrong, []);
    });
  }
  assert.deepEqual([...new Set(BUILDS.map(({ name }) => name))].length, BUILDS.length, "names of builds differ");
});

test("crashOf() names the fault of a core that ends before its stack", { skip }, async () => {
  const [one] = await corpus(BUILDS.slice(0, 1));
  assert.ok(one);
  const core = readFileSync(one.core);
  const crash = crashOf({ core: readerOf(core.subarray(0, core.length / 4)), files: () => "notOpened" });
  assert.equal(crash.problem, "the stack could not be followed to its bottom");
  assert.equal(crash.stack[0]?.module, 0);
});

function problemsOf(crashed: Crashed): string[] {
  const crash = crashIn(crashed.core);
  const wrong = wrongWith(crashed, crash.stack, namer(crashed));
  const { how, expect } = crashed.case;
  return wrong === undefined
    ? []
    : [`${how}: ${wrong} instead of ${expect.join(" ")} (${crash.problem ?? crash.title})`];
}
