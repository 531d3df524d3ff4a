/** A dump's object while its handler is still copying, and what becomes of it when that ends, in whatever way. */

import assert from "node:assert/strict";
import { existsSync, renameSync, rmSync } from "node:fs";
import { test } from "node:test";
import { CORE } from "../../../src/domain/dump.ts";
import { DumpError } from "../../../src/domain/failures.ts";
import { finishIfAbandoned } from "../../../src/node/cache/abandoned.ts";
import { writeRecord } from "../../../src/node/cache/record.ts";
import { FileLock } from "../../../src/system/lock.ts";
import { Killed, NOW, scene } from "../../roles/agent/fakes.ts";
import { podRecord } from "../registration/records.ts";

/** A handler that has copied for so long. */
function copying(sinceMs: number) {
  const dumptime = new Date(NOW.getTime() - sinceMs).toISOString();
  const at = scene({ state: "Capturing", core: CORE.blank, dumptime });
  renameSync(at.entry.core, at.entry.part);
  const lock = FileLock.try(at.entry.lock);
  return {
    ...at,
    killed: () => lock?.[Symbol.dispose](),
    /** It ends as handlers do. */
    finished: () => {
      renameSync(at.entry.part, at.entry.core);
      writeRecord(at.entry, podRecord({ id: at.entry.id, dumptime }));
      lock?.[Symbol.dispose]();
    },
    [Symbol.dispose]: at[Symbol.dispose],
  };
}

test("advanceDump() announces a long copy, once, without a size and without touching its record", async () => {
  using at = copying(600);
  const before = at.record();
  assert.equal(await at.step(), "busy");
  assert.equal(await at.step(), "busy");
  const { spec, status } = at.cluster.only ?? {};
  assert.deepEqual([status?.state, spec?.size, at.cluster.version], ["Capturing", undefined, 102]);
  assert.deepEqual(at.record(), before);
});

test("advanceDump() says nothing of a short copy, nor of one whose owner is not known", async () => {
  using short = copying(400);
  assert.equal(await short.step(), "busy");
  using unknown = copying(600);
  writeRecord(unknown.entry, { ...podRecord(), id: unknown.entry.id, state: "Capturing", owner: "unknown", pod: null });
  assert.equal(await unknown.step(), "busy");
  assert.deepEqual([short.cluster.only, unknown.cluster.only], [undefined, undefined]);
});

test("advanceDump() takes an announced dump to its end with the object that there is, killed at any step", async () => {
  for (let kill = 1, killed = true; killed; kill++) {
    using at = copying(600);
    let calls = 0;
    killed = false;
    at.cluster.around = () => {
      if (++calls !== kill) return;
      killed = true;
      throw new Killed();
    };
    const step = () => at.step().catch((error) => assert.ok(error instanceof Killed, String(error)));
    await step();
    await step();
    at.finished();
    for (let tries = 0; at.cluster.only?.status?.state !== "Saved"; tries++) {
      assert.ok(tries < 20, `kill ${kill}: ${at.record()?.state}, ${at.cluster.only?.status?.state}`);
      await step();
      if (at.cluster.only?.status?.state === "Created") {
        assert.equal(at.cluster.only.spec.size, "4096");
        at.cluster.judge("Allowed");
      }
    }
    assert.deepEqual([at.cluster.objects.size, at.bundles.length, at.record()?.state], [1, 1, "Saved"], `kill ${kill}`);
    assert.deepEqual(new Set(at.told), new Set(["Created"]), `kill ${kill}`);
  }
});

test("advanceDump() drops a dump whose owner deleted its object during the copy", async () => {
  using at = copying(600);
  await at.step();
  at.cluster.objects.clear();
  await at.step();
  assert.equal(at.cluster.objects.size, 0); // not made again meanwhile
  at.finished();
  assert.equal(await at.step(), "done");
  assert.deepEqual([at.record()?.state, existsSync(at.entry.core), at.cluster.objects.size], ["Deleted", false, 0]);
});

test("advanceDump() registers an announced dump again when its kind was made anew", async () => {
  using at = copying(600);
  await at.step();
  at.cluster.objects.clear();
  at.cluster.namespaceNow = { ...at.cluster.namespaceNow, crdUid: "made anew" };
  at.finished();
  assert.equal(await at.step(), "waiting");
  assert.deepEqual([at.record()?.state, at.cluster.only?.status?.state], ["Created", "Created"]);
});

for (const { on, hasBytes, state } of [
  { on: "with bytes", hasBytes: true, state: "Created" },
  { on: "without one", hasBytes: false, state: "Lost" },
]) {
  test(`a dump announced by a handler that was killed ${on} becomes ${state}`, async () => {
    using at = copying(600);
    await at.step();
    if (!hasBytes) rmSync(at.entry.part);
    at.killed();
    assert.equal(await at.step(), "waiting");
    await finishIfAbandoned(at.entry);
    await at.step();
    assert.deepEqual([at.record()?.state, at.cluster.only?.status?.state], [state, state]);
    assert.equal(at.cluster.objects.size, 1);
  });
}

test("advanceDump() leaves a copy alone while the API is away, and says so", async () => {
  using at = copying(600);
  at.cluster.around = () => {
    throw new DumpError("API_UNAVAILABLE", "away");
  };
  await assert.rejects(at.step(), { code: "API_UNAVAILABLE" });
  at.cluster.around = () => undefined;
  at.finished();
  assert.equal(await at.step(), "waiting");
  assert.equal(at.cluster.only?.status?.state, "Created");
});
