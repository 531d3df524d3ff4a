/** The collector's rounds, killed at any step, behind watches that lag. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { NOTE, noteText } from "../../../src/cluster/retention/note.ts";
import { MARKER, markerText } from "../../../src/store/bundle/marker.ts";
import { CLUSTER, GcWorld } from "../../roles/gc/world.ts";

const HOUR_MS = 3_600_000;

/** Two pods, of which one has been gone for long; a namespace that is not there any more; a bundle that was always an orphan. */
function given(): { world: GcWorld; keys: Record<"live" | "gone" | "lost" | "orphan" | "coming", string> } {
  const world = new GcWorld();
  world.namespace("shop");
  world.pod("shop", "web", "pod-live");
  world.endpoint("shop", "web", "pod-live");
  world.endpoint("shop", "old", "pod-gone");
  const keys = {
    live: world.dump("shop", "pod-live", "Saved"),
    gone: world.dump("shop", "pod-gone", "Saved"),
    lost: world.dump("former", "pod-x", undefined),
    orphan: world.dump("shop", "pod-live", undefined),
    coming: world.dump("shop", "pod-live", "Allowed"),
  };
  const longAgo = Date.now() - 48 * HOUR_MS;
  world.store.notes.set(MARKER, markerText(CLUSTER));
  const missed = {
    pods: new Map([["pod-gone", longAgo]]),
    orphans: new Map([[keys.orphan, longAgo]]),
    ordered: new Map(),
  };
  world.store.notes.set(NOTE, noteText(CLUSTER, missed));
  return { world, keys };
}

test("a round removes what is due, and says so first", async () => {
  const { world, keys } = given();
  await world.round();
  assert.deepEqual([...world.sink.bundles.keys()].sort(), [keys.coming, keys.live].sort());
  assert.deepEqual(world.states(), { "dump-1": "Saved", "dump-2": "Deleted", "dump-5": "Allowed" });
  assert.ok(world.objects.has("shop/coredumpendpoints/web") && !world.objects.has("shop/coredumpendpoints/old"));
  const marked = world.log.findIndex((line) => line.startsWith("patch") && line.includes("dump-2"));
  assert.ok(marked >= 0 && marked < world.log.indexOf(`remove ${keys.gone}`), world.log.join("\n"));
  assert.deepEqual(await world.round(), [], "and then there is nothing to do");
});

test("a round that is killed at any write is finished by the next", async () => {
  const { world: whole } = given();
  await whole.round();
  for (let writes = 0; writes < whole.log.length; writes++) {
    const { world, keys } = given();
    world.writesLeft = writes;
    await assert.rejects(world.round(), { message: "killed" });
    const isThere = world.sink.bundles.has(keys.gone);
    assert.ok(isThere || world.states()["dump-2"] === "Deleted", "it says Saved, and is not there any more");
    world.writesLeft = Number.POSITIVE_INFINITY;
    await world.round();
    assert.deepEqual([...world.sink.bundles.keys()], [...whole.sink.bundles.keys()], `killed after ${writes}`);
    assert.deepEqual(world.states(), whole.states());
    assert.deepEqual([...world.objects.keys()], [...whole.objects.keys()]);
  }
});

test("a round removes nothing on the word of watches that lag behind", async () => {
  const { world, keys } = given();
  world.objects.delete("namespaces/shop");
  const acts = await world.round(() => {
    world.namespace("shop"); // made, with its pods, and nobody has told us yet
    world.pod("shop", "old", "pod-gone");
  });
  const due = [`remove bundle ${keys.lost}`, `remove bundle ${keys.orphan}`];
  assert.deepEqual(acts.sort(), due.sort(), "what has long been due goes all the same");
});

test("deadlines are on the disk before anything is done, and go on behind a restart", async () => {
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  try {
    const { world, keys } = given();
    await world.round();
    world.objects.delete("shop/pods/web");
    await world.round();
    assert.match(world.store.notes.get(NOTE) ?? "", /pod-live/);
    for (let hour = 1; hour < 24; hour++) {
      mock.timers.tick(HOUR_MS);
      await world.round();
      assert.ok(world.sink.bundles.has(keys.live), `gone for ${hour} hours`);
    }
    mock.timers.tick(HOUR_MS);
    await world.round();
    assert.ok(!world.sink.bundles.has(keys.live));
    assert.ok(world.sink.bundles.has(keys.coming), "its agent has not said that it is stored");
  } finally {
    mock.timers.reset();
  }
});

test("a store without a mark is marked when it fits, and touched only then", async () => {
  const { world } = given();
  world.store.notes.delete(MARKER);
  assert.deepEqual(await world.round(), []);
  assert.equal(world.store.notes.get(MARKER), markerText(CLUSTER));
  assert.ok((await world.round()).length > 0);
});

const stopped = (message: RegExp) => ({ code: "RETENTION_STOPPED", message });

test("a store without a mark that holds another cluster's bundles is left alone", async () => {
  const { world } = given();
  world.store.notes.delete(MARKER);
  for (const path of [...world.objects.keys()]) if (path.includes("/coredumps/")) world.objects.delete(path);
  await assert.rejects(world.round(), stopped(/none has a Coredump here/));
  assert.deepEqual(world.log, []);
});

test("an empty store without a mark is no store while dumps are Saved", async () => {
  const { world } = given();
  world.store.notes.delete(MARKER);
  world.sink.bundles.clear();
  await assert.rejects(world.round(), stopped(/it is empty, and 2 Coredumps are Saved/));
  assert.deepEqual(world.log, []);
});

for (const [on, text] of Object.entries({ "another cluster": markerText("other"), nobody: "{}" })) {
  test(`a store that ${on} has marked is left alone`, async () => {
    const { world } = given();
    world.store.notes.set(MARKER, text);
    await assert.rejects(world.round(), { code: "RETENTION_STOPPED" });
    assert.deepEqual(world.log, []);
  });
}

/** Fourteen dumps of a namespace that stays. */
function fourteen(): GcWorld {
  const world = new GcWorld();
  world.store.notes.set(MARKER, markerText(CLUSTER));
  world.namespace("stays");
  world.pod("stays", "web", "pod-live");
  for (let n = 0; n < 14; n++) world.dump("stays", "pod-live", "Saved");
  return world;
}

const going = { deletionTimestamp: new Date().toISOString() };

test("a namespace with 70 dumps that is deleted takes its bundles with it, and nobody else's", async () => {
  const world = fourteen();
  await using leader = await world.leader();
  await leader.round();
  for (let n = 0; n < 70; n++) world.dump("going", "pod", "Saved");
  world.namespace("going", "uid-going", going);
  assert.equal((await leader.round("going")).length, 70);
  assert.deepEqual([world.sink.bundles.size, world.alarm], [14, undefined]);
  assert.deepEqual(await leader.round(), []);
});

test("what a deletion that was seen takes with it goes on behind a restart", async () => {
  const world = fourteen();
  world.namespace("going", "uid-going", going);
  for (let n = 0; n < 70; n++) world.dump("going", "pod", "Saved");
  world.writesLeft = 40;
  await assert.rejects(world.round(), { message: "killed" });
  for (const path of [...world.objects.keys()]) if (path.includes("going")) world.objects.delete(path);
  world.writesLeft = Number.POSITIVE_INFINITY;
  assert.ok((await world.round()).length > 20, "the new leader has only the note to go by");
  assert.deepEqual([world.sink.bundles.size, world.alarm], [14, undefined]);
});

test("what vanishes without an order waits when it is too much, and the rest goes on", async () => {
  const world = fourteen();
  world.settings = { ...world.settings, maxAtOnce: 2, maxShare: 50 };
  world.namespace("going", "uid-going", going);
  const ordered = world.dump("going", "pod", "Saved");
  const vanished = Array.from({ length: 16 }, () => world.dump("vanished", "pod", "Saved"));
  await using leader = await world.leader();
  assert.deepEqual(await leader.round(), [`remove bundle ${ordered}`]);
  assert.match(world.alarm ?? "", /^Cannot remove 16 of 31 bundles/);
  assert.ok(vanished.every((key) => world.sink.bundles.has(key)));
  const next = world.dump("going", "pod", "Saved");
  assert.deepEqual(await leader.round("going"), [`remove bundle ${next}`]);
  assert.deepEqual(await leader.round("vanished"), []);
  for (let n = 0; n < 14; n++) world.dump("stays", "pod-live", "Saved");
  assert.equal((await leader.round()).length, 16, "there are so many others by now that it may be");
  assert.equal(world.alarm, undefined);
});

test("what vanishes bit by bit is too much when its sum is, and the figures are right", async () => {
  const world = new GcWorld();
  world.store.notes.set(MARKER, markerText(CLUSTER));
  world.settings = { ...world.settings, maxAtOnce: 2 };
  const namespaces = ["a", "b", "c", "d", "e", "f"];
  for (const namespace of namespaces) world.dump(namespace, "pod", "Saved");
  await using leader = await world.leader();
  for (const namespace of namespaces.slice(2)) world.namespace(namespace); // the watch lags: it is asked whether they are there
  assert.equal((await leader.round()).length, 2);
  world.objects.delete("namespaces/c");
  assert.equal((await leader.round("c")).length, 1);
  world.objects.delete("namespaces/d");
  assert.deepEqual(await leader.round("d"), [], "it calls for a round over everything");
  assert.deepEqual(await leader.round(), []);
  assert.match(world.alarm ?? "", /^Cannot remove 4 of 6 bundles \(1 NamespaceDeleted, and 3 that just went\) at once/);
  assert.equal(world.sink.bundles.size, 3);
});

test("a dry run says what would be done, and does nothing", async () => {
  const { world, keys } = given();
  world.settings = { ...world.settings, dryRun: true };
  assert.deepEqual(
    (await world.round()).sort(),
    [
      "mark coredump shop/dump-2",
      `remove bundle ${keys.lost}`,
      `remove bundle ${keys.gone}`,
      `remove bundle ${keys.orphan}`,
      "remove endpoint shop/old",
    ].sort(),
  );
  assert.deepEqual(world.log, []);
});
