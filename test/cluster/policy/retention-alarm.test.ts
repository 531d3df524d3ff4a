/** What is held back, and what goes although much else is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { retention } from "../../../src/cluster/policy/retention.ts";
import { isTooMuch, sift } from "../../../src/cluster/policy/retention-alarm.ts";
import type {
  BundleView,
  Missed,
  NamespaceView,
  RecordView,
  RetentionSettings,
  RetentionWorld,
} from "../../../src/cluster/policy/retention-world.ts";

const [H, DAY] = [3_600_000, 86_400_000];
const NOW = Date.parse("2026-11-21T12:00:00Z");
const SETTINGS: RetentionSettings = {
  ...{ podGoneMs: DAY, maxAgeMs: 30 * DAY, orphanMs: H, uploadMs: DAY },
  ...{ hostMs: 10 * DAY, dockerMs: 5 * DAY, restrictedMs: 2 * DAY },
};
const LIMITS = { maxShare: 50, maxAtOnce: 3 };

/** What became of a dump, each in a namespace and a pod of its own. */
const FATES = {
  stays: {},
  namespaceGoing: { namespace: "going" },
  namespaceSeenDeleted: { namespace: "seen" },
  namespaceReplaced: { namespace: "replaced" },
  namespaceVanished: { namespace: "none" },
  ownerSeenDeleting: { record: "seen" },
  recordVanished: { record: "none" },
  recordDeleted: { record: "Deleted" },
  podSeenDeleted: { pod: "seen" },
  podNotedDeleted: { pod: "noted" },
  podVanished: { pod: "none" },
  oldToday: { ageMs: 30 * DAY + H },
  oldForLong: { ageMs: 32 * DAY },
} as const satisfies Record<string, Fate>;

interface Fate {
  readonly namespace?: "going" | "seen" | "replaced" | "none";
  readonly record?: "seen" | "none" | "Deleted";
  readonly pod?: "seen" | "noted" | "none";
  readonly ageMs?: number;
}
type Name = keyof typeof FATES;
const DOUBTFUL: ReadonlySet<Name> = new Set(["namespaceVanished", "recordVanished", "podVanished", "oldForLong"]);

function worldOf(names: readonly Name[]): RetentionWorld {
  const namespaces = new Map<string, NamespaceView>();
  const [pods, podsDeleted, namespacesDeleted, ownerDeleted] = [0, 0, 0, 0].map(() => new Set<string>()) as Sets;
  const missed = { pods: new Map<string, number>(), orphans: new Map<string, number>(), ordered: new Map() };
  const [bundles, records]: [BundleView[], RecordView[]] = [[], []];
  for (const [n, name] of names.entries()) {
    const { namespace: ns, record, pod, ageMs = 2 * DAY }: Fate = FATES[name];
    const [namespace, podUid, dump, key] = [`ns-${n}`, `pod-${n}`, `dump-${n}`, `${name}-${n}`];
    const there = { uid: `uid-${n}${ns === "replaced" ? "-new" : ""}`, createdMs: 0, isGoing: ns === "going" };
    if (ns !== "none" && ns !== "seen") namespaces.set(namespace, there);
    if (ns === "seen") namespacesDeleted.add(namespace);
    if (record === "seen") ownerDeleted.add(dump);
    if (pod === undefined) pods.add(podUid);
    else missed.pods.set(podUid, NOW - 25 * H);
    if (pod === "seen") podsDeleted.add(podUid);
    if (pod === "noted") missed.ordered.set(key, "PodDeleted");
    missed.orphans.set(key, NOW - 2 * H);
    const common = { namespace, podUid, dump, sinceMs: NOW - ageMs };
    bundles.push({ ...common, key, kind: "pod", restricted: false, sizeBytes: 1 });
    const state = record === "Deleted" ? record : "Saved";
    if (record === undefined || record === "Deleted")
      records.push({ ...common, name: dump, uid: dump, namespaceUid: `uid-${n}`, state, isMissing: false });
  }
  return {
    ...{ namespaces, pods, podsDeleted, namespacesDeleted, ownerDeleted, missed: missed as Missed, bundles, records },
    ...{ autoPods: [], endpoints: [], uploads: [], savedBefore: new Set(records.map(({ uid }) => uid)) },
  };
}
type Sets = [Set<string>, Set<string>, Set<string>, Set<string>];

const namesOf = (bundles: readonly { readonly bundle: BundleView }[]): string[] =>
  bundles.map(({ bundle: { key } }) => key).sort();

test("sift() lets all go that was ordered or fell due in time, and holds back the rest when, and only when, it is too much", () => {
  const names = fc.array(fc.constantFrom(...(Object.keys(FATES) as Name[])), { maxLength: 40 });
  fc.assert(
    fc.property(names, fc.nat(10), (names, bundlesGone) => {
      const verdicts = retention(worldOf(names), SETTINGS, NOW);
      const stock = { bundles: names.length, bundlesGone, coredumps: names.length };
      const { go, held, alarm } = sift(verdicts, stock, LIMITS);
      const keys = (takes: (name: Name) => boolean) =>
        names.flatMap((name, n) => (name !== "stays" && takes(name) ? [`${name}-${n}`] : [])).sort();
      const doubtful = keys((name) => DOUBTFUL.has(name));
      const isMuch = isTooMuch(doubtful.length + bundlesGone, names.length + bundlesGone, LIMITS);
      assert.deepEqual(namesOf(held.bundles), isMuch ? doubtful : []);
      assert.deepEqual(
        namesOf(go.bundles),
        keys((name) => !isMuch || !DOUBTFUL.has(name)),
      );
      assert.equal(alarm !== undefined, isMuch);
      if (isMuch)
        assert.ok(alarm?.startsWith(`${doubtful.length + bundlesGone} of ${names.length + bundlesGone} bundles`));
      const heldDumps = new Set(held.bundles.map(({ bundle: { dump } }) => dump));
      for (const { record } of go.records) assert.ok(!heldDumps.has(record.dump), "it says what has not come true");
    }),
  );
});

test("sift() names the reasons, and holds back whatever is in doubt once it is told to", () => {
  const verdicts = retention(
    worldOf(["podVanished", "recordVanished", "recordVanished", "podSeenDeleted"]),
    SETTINGS,
    NOW,
  );
  const stock = { bundles: 4, bundlesGone: 0, coredumps: 4 };
  assert.equal(sift(verdicts, stock, { ...LIMITS, maxAtOnce: 2 }).alarm, "3 of 4 bundles (1 PodDeleted, 2 NoCoredump)");
  const { go, held, alarm } = sift(verdicts, stock, LIMITS, true);
  assert.deepEqual([go.bundles.length, held.bundles.length, alarm], [1, 3, undefined]);
});

for (const [on, ages, doubtful] of [
  ["what came today makes it too much", [DAY / 2, DAY / 4], false],
  ["it was too much yesterday already", [3 * DAY, 2 * DAY], true],
] as const)
  test(`retention() of a namespace over its size: ${on}`, () => {
    const world = worldOf(["stays", "stays"]);
    const bundles = world.bundles.map((bundle, n) => ({ ...bundle, namespace: "ns-0", sinceMs: NOW - (ages[n] ?? 0) }));
    const verdicts = retention(
      { ...world, bundles, records: [] },
      { ...SETTINGS, namespaceBytes: 1n, orphanMs: DAY },
      NOW,
    );
    assert.deepEqual(
      verdicts.bundles.map(({ why, isDoubtful }) => [why, isDoubtful]),
      [["OverSize", doubtful]],
    );
  });

for (const [going, all, want] of [
  [20, 20, false],
  [21, 21, true],
  [21, 41, true],
  [21, 42, false],
  [0, 0, false],
  [1000, 0, true],
] as const)
  test(`isTooMuch() of ${going} out of ${all}: ${want}`, () =>
    assert.equal(isTooMuch(going, all, { maxShare: 50, maxAtOnce: 20 }), want));

test("isTooMuch() is never said where all may go", () =>
  assert.equal(isTooMuch(1000, 1000, { maxShare: 100, maxAtOnce: 20 }), false));
