/** Kinds of memory for which a setting of the whole machine must be changed: only in a virtual machine (`testbed vm`). */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { before, test } from "node:test";
import { Handler } from "../../support/faults.ts";
import { type Cost, costOf, PATIENCE_MS } from "../../support/memory-cost.ts";
import { holdPattern } from "../../support/pattern.ts";
import { needs } from "../../support/set-up.ts";

/** The virtual machine's own disk. */
const SCRATCH = "/scratch";
const skip = existsSync(SCRATCH) ? needs("root", "testbed", "binary") : "needs `test/testbed/testbed vm`";

before(() => {
  if (skip) return;
  const swap = `${SCRATCH}/swap`;
  const make = `dd if=/dev/zero of=${swap} bs=1M count=64 && chmod 600 ${swap} && mkswap ${swap} && swapon ${swap}`;
  execFileSync("/bin/sh", ["-c", `PATH=$PATH:/sbin:/usr/sbin; ${make}`], { stdio: "ignore" });
  for (const [file, value] of [
    ["pages_to_scan", "100000"],
    ["sleep_millisecs", "10"],
    ["run", "1"],
  ])
    writeFileSync(`/sys/kernel/mm/ksm/${file}`, value ?? "");
});

// The peak says nothing here: the memory was the cgroup's before it went to the swap, or became one page.
test("memory is captured in a cgroup that has no room for it", { skip }, async (t) => {
  using handler = new Handler({ crashesOf: "anybody" });
  const costs = new Map<string, Cost>();
  {
    await using _held = await holdPattern(handler.pattern());
    for (const kind of ["swapped", "merged"])
      costs.set(kind, await costOf({ kind, mib: 16, roomKib: 4096 }, handler.folder.path));
  }
  const records = await handler.records(PATIENCE_MS);
  for (const [kind, { pid, oomKills }] of costs) {
    await t.test(kind, () => {
      const core = records.find(({ hostPid }) => hostPid === pid)?.core;
      assert.deepEqual([core?.complete, core?.capture, oomKills], [true, "direct", 0]);
    });
  }
});
