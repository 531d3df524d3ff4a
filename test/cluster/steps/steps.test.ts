import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { test } from "node:test";
import type { DumpCluster } from "../../../src/domain/dump.ts";
import { DumpError } from "../../../src/domain/failures.ts";
import { writeRecord } from "../../../src/node/cache/record.ts";
import { FileLock } from "../../../src/system/lock.ts";
import { Killed, scene } from "../../roles/agent/fakes.ts";

test("advanceDump() goes from captured to saved, and drops the core only then", async () => {
  using at = scene();
  assert.equal(await at.step(), "waiting");
  assert.deepEqual([at.record()?.state, at.cluster.only?.status?.state, at.told], ["Created", "Created", ["Created"]]);
  assert.equal(await at.step(), "waiting");
  at.cluster.judge("Allowed");
  assert.equal(await at.step(false), "ship");
  assert.ok(existsSync(at.entry.core));
  assert.equal(await at.step(), "done");
  assert.deepEqual(
    [at.record()?.state, at.cluster.only?.status?.state, at.cluster.only?.spec.volume],
    ["Saved", "Saved", "/store"],
  );
  assert.ok(!existsSync(at.entry.core));
});

for (const state of ["Captured", "Created", "Allowed", "FailedToSave"] as const)
  test(`advanceDump() restricts a dump that an earlier version left ${state}, although nobody knew whether it was dumpable`, async () => {
    using at = scene();
    if (state !== "Captured") await at.step();
    if (state === "Allowed" || state === "FailedToSave") at.cluster.judge("Allowed");
    writeRecord(at.entry, { ...(at.record() ?? assert.fail()), state, dumpable: null });
    assert.equal(await at.step(), "done");
    assert.deepEqual([at.record()?.state, at.record()?.reason], ["Restricted", "NotDumpable"]);
    assert.equal(at.cluster.only?.status?.state, "Restricted");
    assert.deepEqual([existsSync(at.entry.core), at.bundles], [true, []]);
  });

test("advanceDump() drops what was denied, and says why", async () => {
  using at = scene();
  await at.step();
  at.cluster.judge("Denied", "Quota exceed, required 2, but q has only 1");
  assert.equal(await at.step(), "done");
  assert.deepEqual([at.record()?.state, at.record()?.reason], ["Denied", "OverQuota"]);
  assert.match(at.record()?.message ?? "", /^Quota exceed/);
  assert.deepEqual([existsSync(at.entry.core), at.bundles, at.told], [false, [], ["Created", "Denied"]]);
});

test("advanceDump() moves what is over to the ended ones, and takes its later steps there", async () => {
  for (const isForgotten of [false, true]) {
    using at = scene();
    await at.step();
    assert.equal(at.entry.isEnded, false);
    at.cluster.judge("Allowed");
    assert.deepEqual([await at.step(), at.entry.isEnded], ["done", true]);
    const uid = at.record()?.cluster?.objectUid ?? "";
    at.cluster.objects.clear();
    at.cluster.version++;
    if (isForgotten) at.context.forgotten.add(uid);
    assert.equal(await at.step(), "done");
    assert.deepEqual(
      [at.record()?.state, at.cluster.only?.status?.state],
      isForgotten ? ["Saved", "Saved"] : ["Deleted", undefined],
    );
    assert.equal(at.entry.isEnded, true);
  }
});

test("advanceDump() killed at any step loses nothing and does nothing twice", async () => {
  for (let kill = 1, killed = true; killed; kill++) {
    using at = scene();
    let calls = 0;
    killed = false;
    at.cluster.around = () => {
      if (++calls !== kill) return;
      killed = true;
      throw new Killed();
    };
    for (let tries = 0; at.record()?.state !== "Saved" || at.cluster.only?.status?.state !== "Saved"; tries++) {
      assert.ok(tries < 20, `kill ${kill}: ${at.record()?.state}, ${at.cluster.only?.status?.state}`);
      await at.step().catch((error) => assert.ok(error instanceof Killed, String(error)));
      if (at.record()?.state !== "Saved") assert.ok(existsSync(at.entry.core), `kill ${kill}: the core is gone`);
      if (at.cluster.only?.status?.state === "Created") at.cluster.judge("Allowed");
    }
    assert.deepEqual(
      [at.cluster.objects.size, at.bundles.length, existsSync(at.entry.core)],
      [1, 1, false],
      `kill ${kill}`,
    );
  }
});

test("advanceDump() keeps everything while the API answers with errors", async () => {
  for (const code of [
    "API_UNAVAILABLE",
    "API_DENIED",
    "API_CONFLICT",
    "API_GONE",
    "API_INVALID",
    "NOT_FOUND",
  ] as const) {
    using at = scene();
    await at.step();
    at.cluster.judge("Allowed");
    at.cluster.around = () => {
      throw new DumpError(code, "no");
    };
    await assert.rejects(at.step());
    assert.deepEqual([at.record()?.state, existsSync(at.entry.core)], ["Created", true], code);
  }
});

test("advanceDump() takes an object's absence for a deletion only when nothing speaks against it", async () => {
  const cases: { on: string; change: Partial<DumpCluster> | "older"; deleted: boolean }[] = [
    { on: "all the same", change: {}, deleted: true },
    { on: "another cluster", change: { clusterUid: "other" }, deleted: false },
    { on: "CRDs made anew", change: { crdUid: "other" }, deleted: false },
    { on: "etcd restored from an older state", change: "older", deleted: false },
  ];
  for (const { on, change, deleted } of cases) {
    using at = scene();
    await at.step();
    at.cluster.objects.clear();
    if (change === "older") at.cluster.namespaceNow = { ...at.cluster.namespaceNow, listVersion: "7" };
    else if (change.clusterUid) at.cluster.namespaceNow = { ...at.cluster.namespaceNow, clusterUid: change.clusterUid };
    else if (change.crdUid) at.cluster.namespaceNow = { ...at.cluster.namespaceNow, crdUid: change.crdUid };
    await at.step();
    assert.equal(at.record()?.state, deleted ? "Deleted" : "Created", on);
    assert.deepEqual([existsSync(at.entry.core), at.cluster.objects.size], deleted ? [false, 0] : [true, 1], on);
  }
});

test("advanceDump() registers again what a list showed to be forgotten, whatever versions there are by then", async () => {
  using at = scene();
  await at.step();
  at.context.forgotten.add(at.record()?.cluster?.objectUid ?? "");
  at.cluster.objects.clear();
  await at.step();
  assert.deepEqual([at.record()?.state, existsSync(at.entry.core), at.cluster.objects.size], ["Created", true, 1]);
});

test("advanceDump() holds a dump whose namespace was made anew, or whose CRDs are gone", async () => {
  for (const change of [{ namespaceUid: "other" }, { namespaceUid: undefined }, { crdUid: undefined }] as const) {
    using at = scene();
    await at.step();
    at.cluster.objects.clear();
    at.cluster.namespaceNow = { ...at.cluster.namespaceNow, ...change };
    await assert.rejects(at.step(), { code: "NOT_FOUND" });
    assert.deepEqual([at.record()?.state, existsSync(at.entry.core), at.cluster.objects.size], ["Created", true, 0]);
  }
});

test("advanceDump() takes a dump whose namespace went away for deleted when a watch has told of its object's deletion", async () => {
  const cases = [
    { on: "the namespace gone", change: { namespaceUid: undefined }, deleted: true },
    { on: "another of its name", change: { namespaceUid: "other" }, deleted: true },
    { on: "CRDs made anew", change: { crdUid: "other" }, deleted: false },
    { on: "CRDs going away", change: { crdUid: undefined }, deleted: false },
    { on: "another cluster", change: { clusterUid: "other" }, deleted: false },
  ];
  for (const { on, change, deleted } of cases) {
    using at = scene();
    await at.step();
    at.context.deleted.add(at.record()?.cluster?.objectUid ?? "");
    at.cluster.objects.clear();
    at.cluster.namespaceNow = { ...at.cluster.namespaceNow, ...change };
    await at.step().catch(() => undefined);
    assert.deepEqual([at.record()?.state, existsSync(at.entry.core)], [deleted ? "Deleted" : "Created", !deleted], on);
  }
});

test("advanceDump() registers nothing in a namespace that is younger than the crash, unless the pod is there", async () => {
  using at = scene();
  const pod = at.cluster.podNow;
  at.cluster.podNow = undefined;
  at.cluster.namespaceNow = { ...at.cluster.namespaceNow, namespaceSince: "2026-11-21T07:30:00Z" };
  await assert.rejects(at.step(), { code: "NOT_FOUND" });
  assert.deepEqual([at.record()?.state, at.cluster.objects.size], ["Captured", 0]);
  at.cluster.podNow = pod; // the node's clock is behind the API server's
  await at.step();
  assert.deepEqual([at.record()?.state, at.cluster.objects.size], ["Created", 1]);
});

test("advanceDump() has what was allowed judged again when its object was lost", async () => {
  using at = scene();
  await at.step();
  at.cluster.judge("Allowed");
  await at.step(false);
  at.cluster.objects.clear();
  at.cluster.namespaceNow = { ...at.cluster.namespaceNow, crdUid: "made anew" };
  assert.equal(await at.step(), "waiting");
  assert.deepEqual([at.record()?.state, at.cluster.only?.status?.state, at.bundles], ["Allowed", "Created", []]);
  at.cluster.judge("Denied", "full");
  await at.step();
  assert.deepEqual([at.record()?.state, existsSync(at.entry.core), at.bundles], ["Denied", false, []]);
});

test("advanceDump() says what the store said, keeps the core, and saves later", async () => {
  using at = scene();
  await at.step();
  at.cluster.judge("Allowed");
  const { ship } = at.context;
  at.context.ship = async () => {
    throw new DumpError("STORE_FULL", "Cannot put k: the store is full");
  };
  await assert.rejects(at.step(), { code: "STORE_FULL" });
  assert.deepEqual([at.record()?.state, at.cluster.only?.status?.state], ["FailedToSave", "FailedToSave"]);
  assert.match(at.cluster.only?.status?.message ?? "", /store is full/);
  assert.ok(existsSync(at.entry.core));
  at.context.ship = ship;
  await at.step();
  assert.deepEqual(
    [at.record()?.state, at.cluster.only?.status?.state, at.cluster.only?.status?.message],
    ["Saved", "Saved", undefined],
  );
});

test("advanceDump() leaves an upload that is parked as it was", async () => {
  using at = scene();
  await at.step();
  at.cluster.judge("Allowed");
  const ending = new AbortController();
  at.context.ship = async () => {
    ending.abort(new Error("parked"));
    throw ending.signal.reason;
  };
  await assert.rejects(at.step(true, ending.signal), /parked/);
  assert.deepEqual([at.record()?.state, at.cluster.only?.status?.state], ["Allowed", "Allowed"]);
});

test("advanceDump() leaves a dump alone that somebody else is at", async () => {
  using at = scene();
  using _lock = FileLock.try(at.entry.lock);
  assert.equal(await at.step(), "busy");
});

test("advanceDump() leaves the lock to a handler that has not written its record yet", async () => {
  using at = scene();
  rmSync(at.entry.record);
  assert.equal(await at.step(), "busy");
  assert.equal(existsSync(at.entry.lock), false);
  rmSync(at.entry.dir, { recursive: true });
  assert.equal(await at.step(), "done");
});

test("advanceDump() lets the node allow where it was told to", async () => {
  using at = scene();
  at.context.settings = { ...at.context.settings, admission: "all" };
  assert.equal(await at.step(), "done");
  assert.deepEqual([at.record()?.state, at.cluster.only?.status?.state, at.bundles.length], ["Saved", "Saved", 1]);
});

test("advanceDump() registers a refused dump so that its owner knows, and nothing more", async () => {
  using at = scene({ state: "Refused", reason: "TooBig", message: "too big: 41 GiB, limit 32 GiB" });
  assert.equal(await at.step(), "done");
  assert.deepEqual(
    [at.cluster.only?.status?.state, at.cluster.only?.status?.message, at.told],
    ["Refused", "too big: 41 GiB, limit 32 GiB", ["Refused"]],
  );
  assert.equal(await at.step(), "done");
  assert.equal(at.cluster.version, 102); // created, reported, and never again
});

for (const { on, change, reason } of [
  { on: "the pod's label", change: { pod: { "coredump.fujitsu.com/no-coredump": "true" } }, reason: "OptedOut" },
  {
    on: "the namespace's label",
    change: { labels: { "coredump.fujitsu.com/no-coredump": "true" } },
    reason: "OptedOut",
  },
  {
    on: "the namespace's annotation",
    change: { annotations: { "coredump.fujitsu.com/no-coredump": "true" } },
    reason: "OptedOut",
  },
  {
    on: "the namespace's limit",
    change: { annotations: { "coredump.fujitsu.com/max-dump-size": "1Ki" } },
    reason: "TooBig",
  },
] as { on: string; change: Record<string, Record<string, string>>; reason: string }[]) {
  test(`advanceDump() refuses by ${on}`, async () => {
    using at = scene();
    const { pod, ...view } = change;
    if (pod) at.cluster.podNow = { uid: at.record()?.pod?.uid ?? "", labels: pod, object: {}, hostUsers: true };
    at.cluster.namespaceNow = { ...at.cluster.namespaceNow, ...view };
    assert.equal(await at.step(), "done");
    assert.deepEqual([at.record()?.state, at.record()?.reason, existsSync(at.entry.core)], ["Refused", reason, false]);
    assert.equal(at.cluster.only?.status?.state, "Refused");
  });
}

test("advanceDump() keeps a namespace within what it may hold on the node", async () => {
  using at = scene();
  at.context.settings = { ...at.context.settings, namespaceDiskBytes: 4500n };
  await at.step();
  assert.deepEqual([at.record()?.state, at.told], ["Created", ["nearly full", "Created"]]);
  using over = scene();
  over.context.settings = { ...over.context.settings, namespaceDiskBytes: 0n };
  await over.step();
  assert.deepEqual([over.record()?.state, over.record()?.reason], ["Refused", "NoRoom"]);
});
