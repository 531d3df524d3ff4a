/** Rule 10: what we do is never paid by the crashed container. Its memory cgroup is held against what `cat` costs it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Handler } from "../../support/faults.ts";
import { ROUNDED_BYTES } from "../../support/memory-cgroup.ts";
import { type Cost, type Crashing, catPattern, costOf, PATIENCE_MS } from "../../support/memory-cost.ts";
import { holdPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "testbed", "binary");

const MIB = 8;
const KINDS = [
  "alone",
  "alone-huge",
  "forked",
  "forked-huge",
  "forked-split",
  "orphan",
  "orphan-split",
  "file",
  "shared",
  "userfault",
].map((kind) => ({ kind, mib: MIB }));

// All under one pattern, their records read once: where every instruction is emulated (testbed vm) starts are what costs time.
test(`capturing ${MIB} MiB costs the cgroup no more than cat does, beyond ${ROUNDED_BYTES >> 10} KiB`, {
  skip,
}, async (t) => {
  using handler = new Handler({ crashesOf: "anybody" });
  const { path } = handler.folder;
  const cats = await costsOf(KINDS, catPattern(path), path);
  const costs = await costsOf(KINDS, handler.pattern(), path);
  const records = await handler.records(PATIENCE_MS);
  for (const [at, { kind }] of KINDS.entries()) {
    await t.test(`memory: ${kind}`, () => {
      const [cat, ours] = [cats[at], costs[at]];
      assert.ok(cat && ours);
      const core = records.find(({ hostPid }) => hostPid === ours.pid)?.core;
      assert.deepEqual([core?.complete, core?.capture], [true, "direct"]);
      t.diagnostic(`${kind}: ${ours.movedBytes >> 10} KiB, cat ${cat.movedBytes >> 10} KiB`);
      assert.ok(
        ours.movedBytes <= cat.movedBytes + ROUNDED_BYTES,
        `${ours.movedBytes}, and cat ${cat.movedBytes} bytes`,
      );
      assert.equal(ours.left, cat.left);
    });
  }
});

async function costsOf(all: readonly Crashing[], pattern: string, folder: string): Promise<Cost[]> {
  await using _held = await holdPattern(pattern);
  const costs: Cost[] = [];
  for (const one of all) costs.push(await costOf(one, folder));
  return costs;
}

/** `left` are the processes of the cgroup that must live on. */
const FULL: readonly (Crashing & { on: string; capture: "auto" | "drain"; left: number })[] = [
  // What a container has left when it crashes for want of memory.
  { on: "a process whose cgroup has 512 KiB left", kind: "alone", mib: 16, roomKib: 512, capture: "auto", left: 0 },
  { on: "the same through the pipe", kind: "alone", mib: 16, roomKib: 512, capture: "drain", left: 0 },
  { on: "a worker, whose parent lives on", kind: "forked", mib: 32, roomKib: 8 << 10, capture: "auto", left: 1 },
];

test("a cgroup that has no room for a copy loses neither core nor process", { skip }, async (t) => {
  using handler = new Handler({ crashesOf: "anybody" });
  const costs: Cost[] = [];
  {
    await using _held = await holdPattern(handler.pattern());
    for (const one of FULL) {
      handler.settings({ capture: one.capture });
      costs.push(await costOf(one, handler.folder.path));
      await handler.ended(PATIENCE_MS); // it reads the settings
    }
  }
  const records = await handler.records(PATIENCE_MS);
  for (const [at, { on, left }] of FULL.entries()) {
    await t.test(on, () => {
      const cost = costs[at];
      const core = records.find(({ hostPid }) => hostPid === cost?.pid)?.core;
      assert.deepEqual([core?.complete, core?.truncation], [true, null]);
      assert.deepEqual([cost?.oomKills, cost?.left], [0, left]);
    });
  }
});
