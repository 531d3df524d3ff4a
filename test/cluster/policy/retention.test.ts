/** Each row of docs/collector.md: what goes, what stays, and until when. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { dumpOf, endpointOf, retention } from "../../../src/cluster/policy/retention.ts";
import type {
  BundleView,
  EndpointView,
  Missed,
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
const SHORT = "3f9c2a71b0de";
const DUMP = dumpOf("shop", "pod-1", SHORT);

const bundle = (change: Partial<BundleView> = {}): BundleView => ({
  ...{ key: "shop/pod-1/nginx/a", kind: "pod", restricted: false, namespace: "shop", podUid: "pod-1", dump: DUMP },
  ...{ sinceMs: NOW - 5 * H, sizeBytes: 100, ...change },
});
const record = (change: Partial<RecordView> = {}): RecordView => ({
  ...{ namespace: "shop", name: "dump", uid: "uid-1", dump: DUMP, podUid: "pod-1", namespaceUid: "ns-1" },
  ...{ state: "Saved", sinceMs: NOW - 5 * H, isMissing: false, ...change },
});
const endpoint = (change: Partial<EndpointView> = {}): EndpointView => ({
  ...{ namespace: "shop", name: "web", uid: "e-1", podUid: "pod-1", namespaceUid: "ns-1", ...change },
});

const missing = (what: Partial<Missed>): Missed => ({
  ...{ pods: new Map(), orphans: new Map(), ordered: new Map(), ...what },
});

/** A namespace with one pod that is there, its dump Saved and stored. */
const world = (change: Partial<RetentionWorld> = {}): RetentionWorld => ({
  namespaces: new Map([["shop", { uid: "ns-1", createdMs: NOW - 100 * DAY, isGoing: false }]]),
  pods: new Set(["pod-1"]),
  ...{ autoPods: [], records: [record()], endpoints: [endpoint()], bundles: [bundle()], uploads: [] },
  ...{ ownerDeleted: new Set<string>(), namespacesDeleted: new Set<string>(), podsDeleted: new Set<string>() },
  ...{ savedBefore: new Set(["uid-1"]), missed: missing({}) },
  ...change,
});

/** What goes, in words: `bundle PodDeleted`, `coredump markDeleted PodDeleted`. */
function words(of: RetentionWorld, settings: RetentionSettings = SETTINGS): string[] {
  const { bundles, records, endpoints, uploads, newEndpoints } = retention(of, settings, NOW);
  return [
    ...bundles.map(({ why }) => `bundle ${why}`),
    ...records.map(({ act, why = "" }) => `coredump ${act} ${why}`.trim()),
    ...endpoints.map(({ why }) => `endpoint ${why}`),
    ...newEndpoints.map(({ endpoint }) => `new endpoint ${endpoint}`),
    ...uploads.map(({ key }) => `upload ${key}`),
  ];
}

const gone = (hours: number) => missing({ pods: new Map([["pod-1", NOW - hours * H]]) });
const orphan = (hours: number) => missing({ orphans: new Map([["shop/pod-1/nginx/a", NOW - hours * H]]) });
const going = { namespaces: new Map([["shop", { uid: "ns-1", createdMs: 0, isGoing: true }]]) };
const anew = { namespaces: new Map([["shop", { uid: "ns-2", createdMs: NOW - H, isGoing: false }]]) };
const host = { kind: "host", namespace: "", podUid: "", dump: "" } as const;
const docker = { ...host, kind: "docker" } as const;

const ROWS: { on: string; of: Partial<RetentionWorld>; want: string[]; settings?: Partial<RetentionSettings> }[] = [
  { on: "a pod that is there", of: {}, want: [] },
  { on: "no namespace", of: { namespaces: new Map() }, want: ["bundle NamespaceDeleted"] }, // its objects go with it
  { on: "a namespace that is going", of: going, want: ["bundle NamespaceDeleted"] },
  {
    on: "a namespace made anew, and objects of the old one",
    of: anew,
    want: ["bundle NamespaceDeleted", "coredump delete NamespaceDeleted", "endpoint NamespaceDeleted"],
  },
  {
    on: "a namespace made anew, and nothing but a bundle that is older",
    of: { ...anew, records: [], endpoints: [] },
    want: ["bundle NamespaceDeleted"],
  },
  {
    on: "a bundle that came minutes before its namespace: clocks differ",
    of: { ...anew, records: [], endpoints: [], bundles: [bundle({ sinceMs: NOW - H - 60_000 })] },
    want: [],
  },
  {
    on: "a Coredump that we saw deleted",
    of: { records: [], ownerDeleted: new Set([DUMP]) },
    want: ["bundle OwnerDeleted"],
  },
  { on: "one of that name, made again", of: { ownerDeleted: new Set([DUMP]) }, want: [] },
  { on: "no Coredump, just noticed", of: { records: [] }, want: [] },
  { on: "no Coredump for a while", of: { records: [], missed: orphan(0.9) }, want: [] },
  { on: "no Coredump for too long", of: { records: [], missed: orphan(1) }, want: ["bundle NoCoredump"] },
  { on: "a Coredump again", of: { missed: orphan(100) }, want: [] },
  {
    on: "a Coredump of the same pod, but of another dump",
    of: { records: [record({ dump: "x" })], missed: orphan(1) },
    want: ["bundle NoCoredump", "coredump markMissing"],
  },
  { on: "a pod gone, just noticed", of: { pods: new Set() }, want: [] },
  { on: "a pod gone for 23 hours", of: { pods: new Set(), missed: gone(23) }, want: [] },
  {
    on: "a pod gone for a day",
    of: { pods: new Set(), missed: gone(24) },
    want: ["bundle PodDeleted", "coredump markDeleted PodDeleted", "endpoint PodDeleted"],
  },
  { on: "a pod that was gone, they said, and is there", of: { missed: gone(100) }, want: [] },
  {
    on: "a pod gone for a day, its bundle removed already", // we were killed in between
    of: { pods: new Set(), missed: gone(24), bundles: [], endpoints: [] },
    want: ["coredump markDeleted PodDeleted"],
  },
  {
    on: "a Coredump that says Deleted, its bundle still there", // likewise
    of: { records: [record({ state: "Deleted" })] },
    want: ["bundle AlreadyDeleted"],
  },
  ...["", "Capturing", "Created", "Allowed", "FailedToSave"].map((state) => ({
    on: `a pod gone for a day, its dump ${state || "just registered"}`,
    of: { pods: new Set<string>(), missed: gone(24), records: [record({ state, sinceMs: 0 })], endpoints: [] },
    want: [],
  })),
  {
    on: "a bundle and a Coredump of 30 days",
    of: { bundles: [bundle({ sinceMs: NOW - 30 * DAY })], records: [record({ sinceMs: NOW - 30 * DAY })] },
    want: ["bundle OverAge", "coredump delete OverAge"],
  },
  {
    on: "a bundle of 30 days whose Coredump was made later",
    of: { bundles: [bundle({ sinceMs: NOW - 30 * DAY })] },
    want: ["bundle OverAge", "coredump markDeleted OverAge"],
  },
  {
    on: "a bundle and a Coredump of any age, and no limit",
    of: { bundles: [bundle({ sinceMs: 0 })], records: [record({ sinceMs: 0 })] },
    settings: { maxAgeMs: 0 },
    want: [],
  },
  ...["Deleted", "Denied", "Refused", "Evicted", "Lost"].map((state) => ({
    on: `a record of 30 days that is ${state}`,
    of: { bundles: [], records: [record({ state, sinceMs: NOW - 30 * DAY })] },
    want: ["coredump delete OverAge"],
  })),
  {
    on: "a record of 30 days whose core is on the node for ever",
    of: { bundles: [], records: [record({ state: "Restricted", sinceMs: 0 })] },
    want: [],
  },
  { on: "a Saved dump without a bundle", of: { bundles: [] }, want: ["coredump markMissing"] },
  { on: "one that became Saved while we looked", of: { bundles: [], savedBefore: new Set() }, want: [] },
  { on: "one that says so already", of: { bundles: [], records: [record({ isMissing: true })] }, want: [] },
  { on: "one whose bundle is back", of: { records: [record({ isMissing: true })] }, want: ["coredump markFound"] },
  {
    on: "one of the first versions, which does not say which dump it is",
    of: { bundles: [], records: [record({ dump: "" })] },
    want: [],
  },
  {
    on: "more than a namespace may have",
    of: {
      bundles: [bundle({ key: "young", dump: "y", sizeBytes: 60 }), bundle({ sinceMs: NOW - 9 * H, sizeBytes: 60 })],
    },
    settings: { namespaceBytes: 100n },
    want: ["bundle OverSize", "coredump markDeleted OverSize"],
  },
  {
    on: "exactly what a namespace may have, beside others' bundles",
    of: { bundles: [bundle(), bundle({ ...host, sizeBytes: 1000 }), bundle({ restricted: true, sizeBytes: 1000 })] },
    settings: { namespaceBytes: 100n },
    want: [],
  },
  {
    on: "more than a namespace may have, all of it on its way",
    of: { records: [record({ state: "Allowed" })] },
    settings: { namespaceBytes: 0n },
    want: [],
  },
  {
    on: "a host process's bundle of 9 days",
    of: { bundles: [bundle({ ...host, sinceMs: NOW - 9 * DAY })], records: [] },
    want: [],
  },
  {
    on: "of 10 days",
    of: { bundles: [bundle({ ...host, sinceMs: NOW - 10 * DAY })], records: [] },
    want: ["bundle OverAge"],
  },
  {
    on: "a Docker container's of 5 days",
    of: { bundles: [bundle({ ...docker, sinceMs: NOW - 5 * DAY })], records: [] },
    want: ["bundle OverAge"],
  },
  {
    on: "a restricted one of a day, in no namespace",
    of: { bundles: [bundle({ restricted: true })], records: [], namespaces: new Map() },
    want: [],
  },
  {
    on: "of 2 days",
    of: { bundles: [bundle({ restricted: true, sinceMs: NOW - 2 * DAY })], records: [] },
    want: ["bundle OverAge"],
  },
  {
    on: "an endpoint for a pod long gone, nothing else",
    of: { pods: new Set(), missed: gone(24), bundles: [], records: [] },
    want: ["endpoint PodDeleted"],
  },
  { on: "an endpoint that names no pod", of: { endpoints: [endpoint({ podUid: "" })] }, want: [] },
  {
    on: "pods that want an endpoint, one of them has it",
    of: {
      autoPods: ["a", "b"].map((name) => ({ namespace: "shop", name, uid: name })),
      endpoints: [endpoint({ name: endpointOf({ name: "b", uid: "b" }), podUid: "b" })],
      pods: new Set(["pod-1", "b"]),
    },
    want: ["new endpoint a-86f7e437"],
  },
  {
    on: "pods that want an endpoint, and nobody who serves them",
    of: { autoPods: [{ namespace: "shop", name: "a", uid: "a" }], endpoints: undefined },
    want: [],
  },
  {
    on: "one in a namespace that is going",
    of: { ...going, bundles: [], autoPods: [{ namespace: "shop", name: "a", uid: "a" }] },
    want: [],
  },
  { on: "an upload of 23 hours", of: { uploads: [{ key: "k", dump: "x", begunMs: NOW - 23 * H }] }, want: [] },
  { on: "an upload of a day", of: { uploads: [{ key: "k", dump: "x", begunMs: NOW - DAY }] }, want: ["upload k"] },
  {
    on: "an upload of a week whose dump is on its way",
    of: {
      uploads: [{ key: "k", dump: DUMP, begunMs: NOW - 7 * DAY }],
      records: [record({ state: "FailedToSave" })],
      bundles: [],
    },
    want: [],
  },
];

for (const { on, of, want, settings } of ROWS)
  test(`retention() of ${on}`, () => assert.deepEqual(words(world(of), { ...SETTINGS, ...settings }), want));

describe("retention() remembers", () => {
  test("since when a pod has been gone, and when that is over", () => {
    const first = retention(world({ pods: new Set() }), SETTINGS, NOW);
    assert.deepEqual([...first.missed.pods], [["pod-1", NOW]]);
    assert.equal(first.nextMs, NOW + DAY);
    const later = retention(world({ pods: new Set(), missed: first.missed }), SETTINGS, NOW + DAY - 1);
    assert.deepEqual([later.missed.pods.get("pod-1"), later.bundles.length], [NOW, 0]);
    assert.equal(retention(world({ pods: new Set(), missed: later.missed }), SETTINGS, NOW + DAY).bundles.length, 1);
  });

  test("nothing of what is there, or of what nothing is left of", () => {
    assert.equal(retention(world({ missed: gone(3) }), SETTINGS, NOW).missed.pods.size, 0);
    const empty = { pods: new Set<string>(), records: [], bundles: [], endpoints: [] };
    assert.equal(retention(world({ ...empty, missed: gone(3) }), SETTINGS, NOW).missed.pods.size, 0);
  });

  test("no time that is still to come: a clock was set back", () => {
    const { missed } = retention(world({ pods: new Set(), missed: gone(-1000) }), SETTINGS, NOW);
    assert.equal(missed.pods.get("pod-1"), NOW);
  });
});

test("retention() lets nothing go early, whatever the hour, and everything in the end", () => {
  const hours = fc.integer({ min: 0, max: 60 });
  fc.assert(
    fc.property(hours, fc.array(hours, { maxLength: 6 }), (goneAtH, rounds) => {
      let missed = missing({});
      let noticedMs: number | undefined;
      for (const hour of [...rounds].sort((a, b) => a - b)) {
        const nowMs = NOW + hour * H;
        const pods = new Set(hour < goneAtH ? ["pod-1"] : []);
        if (hour >= goneAtH) noticedMs ??= nowMs;
        const verdicts = retention(world({ pods, missed }), SETTINGS, nowMs);
        missed = verdicts.missed;
        assert.equal(verdicts.bundles.length === 1, noticedMs !== undefined && nowMs - noticedMs >= DAY);
      }
    }),
  );
});
