/** Rule 10: what we do is never paid by the crashed container. Its memory cgroup is held against what `cat` costs it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Handler } from "../../support/faults.ts";
import { catPattern, costOf, PATIENCE_MS } from "../../support/memory-cost.ts";
import { needs } from "../../support/set-up.ts";

const skip = needs("root", "testbed", "binary");

const MIB = 1 << 20;
/** A processor's charges to a cgroup are rounded up to 64 pages (MEMCG_CHARGE_BATCH). */
const ROUNDED_BYTES = 1 * MIB;

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
];

for (const kind of KINDS) {
  test(`capturing memory (${kind}) costs its cgroup no more than cat does`, { skip }, async () => {
    using handler = new Handler({ crashesOf: "anybody" });
    const cat = await costOf({ kind, mib: 32 }, catPattern(handler.folder.path), handler.folder.path);
    const ours = await costOf({ kind, mib: 32 }, handler.pattern(), handler.folder.path);
    const { core } = await handler.record(PATIENCE_MS);
    assert.deepEqual([core.complete, core.capture], [true, "direct"]);
    assert.ok(ours.movedBytes <= cat.movedBytes + ROUNDED_BYTES, `${ours.movedBytes}, and cat ${cat.movedBytes} bytes`);
    assert.equal(ours.left, cat.left);
  });
}

/** What a container has left when it crashes for want of memory. */
const FULL = { kind: "alone", mib: 64, roomKib: 512 };

for (const capture of ["auto", "drain"]) {
  test(`a process whose cgroup has 512 KiB left keeps its core (${capture})`, { skip }, async () => {
    using handler = new Handler({ crashesOf: "anybody", settings: { capture } });
    const { oomKills } = await costOf(FULL, handler.pattern(), handler.folder.path);
    const { core } = await handler.record(PATIENCE_MS);
    assert.deepEqual([core.complete, core.truncation, oomKills], [true, null, 0]);
  });
}

test("a worker's crash leaves its parent alive where the cgroup has no room for a copy", { skip }, async () => {
  using handler = new Handler({ crashesOf: "anybody" });
  const cost = await costOf({ kind: "forked", mib: 64, roomKib: 8 << 10 }, handler.pattern(), handler.folder.path);
  const { core } = await handler.record(PATIENCE_MS);
  assert.deepEqual([core.complete, cost.oomKills, cost.left], [true, 0, 1]);
});
