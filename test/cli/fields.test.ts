/**
 * Where each field of a record is seen. A field is changed, and what is printed then with it: a new one that somebody forgot to
 * show, to register or to store stands in no row here, and fails.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { columns } from "../../src/cli/kubectl/output/rows.ts";
import { screen as pluginScreen } from "../../src/cli/kubectl/output/screen.ts";
import { render } from "../../src/cli/output/list.ts";
import { screen } from "../../src/cli/output/screen.ts";
import { table } from "../../src/cli/output/table.ts";
import { coredumpOf, type PodRecord, statusOf } from "../../src/cluster/registration/coredump.ts";
import { type DumpRecord, foundIn, RECORD } from "../../src/domain/dump.ts";
import type { Coredump } from "../../src/kube/coredump.ts";
import { NOW, record } from "./commands/records.ts";

const FRAME = {
  ...{ function: "main", module: 0, pc: "0x1", offset: 1, functionOffset: 1, file: "a.c", line: 1, inlined: false },
  ...({ kind: "native", trust: "cfi" } as const),
};

/** Nothing in it is unknown. */
const WHOLE = record("3f9c2a71b0de", {
  ...{ reason: "TooBig", message: "said of it", warnings: ["beware"] },
  cluster: {
    ...{ name: "web-0-nginx", objectUid: "u", resourceVersion: "1", namespaceUid: "n", crdUid: "c", clusterUid: "k" },
  },
  bundle: { volume: "s3://cores", key: "shop/x", sizeBytes: 1 << 20, checksum: "crc32:00000000" },
  delivery: {
    ...({ state: "Pending", claim: "cores", reason: "VolumeFull", message: "no room" } as const),
    since: "2026-11-21T07:21:03.512Z",
  },
  crash: {
    ...{ title: "t", fingerprint: "0123456789ab", site: "0123456789ab", version: 1, problem: "p", deeper: false },
    ...{ runtime: { name: "go", version: "1" }, stack: [FRAME] },
    threads: [{ tid: 1, name: "t", crashed: false, stack: [FRAME] }],
    modules: [
      {
        ...{ path: "/a", buildId: "ab", start: "0x0", end: "0x1", sha256: "ab", state: "read", go: null },
        package: { name: "a", version: "1", os: null },
      } as const,
    ],
  },
  core: { ...record("3f9c2a71b0de").core, truncation: "disk-full" },
});
/** What is printed differs from state to state. */
const BASES: readonly DumpRecord[] = [
  { ...WHOLE, reason: null },
  { ...WHOLE, state: "Saved" },
  { ...WHOLE, state: "Refused", message: null },
  { ...WHOLE, core: { ...WHOLE.core, complete: false } },
  { ...WHOLE, owner: "container", pod: null, identity: { ...WHOLE.identity, confirmed: false, problem: null } },
];

async function outputsOf(each: DumpRecord): Promise<Record<string, string>> {
  const ofPod = { ...each, owner: "pod", pod: each.pod ?? WHOLE.pod } as PodRecord;
  const made = coredumpOf(ofPod, "n");
  const coredump = { ...made, status: statusOf(ofPod, undefined, NOW) } as unknown as Coredump;
  return {
    list: `${await render([each], "table", NOW)}${await render([each], "wide", NOW)}`,
    info: screen(each),
    coredump: JSON.stringify(coredump),
    "k-list": table(columns(NOW, { wide: true, namespaces: true }), [coredump]),
    "k-info": pluginScreen(coredump),
    bundle: JSON.stringify(foundIn(each)),
  };
}

/** Another value of its kind. */
function other(value: unknown): unknown {
  if (Array.isArray(value)) return typeof value[0] === "string" ? [...value, "more"] : [];
  if (typeof value === "boolean") return !value;
  if (typeof value === "number") return value * 3 + 7;
  if (value === "Captured") return "Created";
  return /^2026-/.test(String(value)) ? "2025-01-01T00:00:00.000Z" : `${value}9`;
}

type Tree = Readonly<Record<string, unknown>>;
const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null && !Array.isArray(value);

const pathsIn = (value: Tree, path = ""): string[] =>
  Object.entries(value).flatMap(([name, field]) =>
    isTree(field) ? pathsIn(field, `${path}${name}.`) : [`${path}${name}`],
  );

interface Declared {
  readonly blank: unknown;
  readonly fields?: Readonly<Record<string, Declared>>;
}

/** The same of what is declared; a list is one field. */
const declaredIn = (fields: Readonly<Record<string, Declared>>, path = ""): string[] =>
  Object.entries(fields).flatMap(([name, field]) =>
    field.fields && !Array.isArray(field.blank) ? declaredIn(field.fields, `${path}${name}.`) : [`${path}${name}`],
  );

function changed(value: Tree, [name = "", ...rest]: readonly string[]): Tree {
  const field = value[name];
  if (rest.length > 0) return isTree(field) ? { ...value, [name]: changed(field, rest) } : value;
  return { ...value, [name]: other(field) };
}

async function placesOf(path: string): Promise<string> {
  const seen = new Set<string>();
  for (const base of BASES) {
    const before = await outputsOf(base);
    const after = await outputsOf(changed(base as unknown as Tree, path.split(".")) as unknown as DumpRecord);
    for (const place of Object.keys(before)) if (before[place] !== after[place]) seen.add(place);
  }
  return Object.keys(await outputsOf(WHOLE))
    .filter((place) => seen.has(place))
    .join(" ");
}

/** Where each is seen; and why not, where no `info` has it or no Coredump. */
const SHOWN: Readonly<Record<string, readonly [places: string, why?: string]>> = {
  version: ["bundle", "the format's own"],
  id: ["list info coredump k-list k-info bundle"],
  state: ["list info coredump k-list k-info"],
  reason: ["list info coredump k-list k-info"],
  message: ["list info coredump k-info"],
  dumptime: ["list info coredump k-list k-info bundle"],
  updated: ["", "says when the record was written, nothing of the crash"],
  hostPid: ["list info coredump k-list bundle"],
  hostTid: ["bundle", "info names the thread by its id in its own namespace, as gdb does"],
  containerPid: ["info coredump bundle"],
  executable: ["list info coredump k-list k-info bundle"],
  exe: ["list info coredump bundle"],
  comm: ["list info coredump k-list k-info bundle"],
  threadName: ["bundle", "stands in for the name of a thread, where that is not known"],
  "signal.number": ["coredump k-info bundle"],
  "signal.name": ["list info coredump k-list k-info bundle"],
  "signal.code": ["coredump k-info bundle"],
  "signal.codeText": ["info bundle", "follows from signal.code"],
  "signal.faultAddress": ["info coredump k-info bundle"],
  threads: ["info coredump k-info bundle"],
  threadCount: ["info coredump k-info bundle"],
  processUid: ["list info coredump bundle"],
  processGid: ["info coredump bundle"],
  dumpable: ["coredump k-list k-info bundle"],
  coreLimit: ["bundle", "explains a decision, and that has its own message"],
  uptimeMs: ["info coredump k-info bundle"],
  heldMs: ["info coredump k-info bundle"],
  node: ["list info coredump k-list k-info bundle"],
  hostname: ["info bundle", "the container's own word; pods have a name that is proven"],
  owner: ["list bundle", "only pods' dumps are registered"],
  "container.runtime": ["bundle", "identity.confirmed says whether to believe it"],
  "container.id": ["bundle", "containers of pods have names"],
  "container.name": ["list info coredump k-list k-info bundle"],
  "container.image": ["list info coredump k-list k-info bundle"],
  "container.imageDigest": ["info coredump k-info bundle"],
  "container.attempt": ["info coredump k-info bundle"],
  "pod.namespace": ["list info coredump k-list k-info bundle"],
  "pod.name": ["list info coredump k-list k-info bundle"],
  "pod.uid": ["coredump bundle", "for machines"],
  "identity.source": ["bundle", "identity.confirmed says whether to believe it"],
  "identity.confirmed": ["info coredump bundle"],
  "identity.problem": ["info coredump bundle"],
  "identity.cgroup": ["bundle", "shown where it is all there is"],
  warnings: ["info", "what went wrong on the node, for its operators"],
  "cluster.name": ["", "how the node finds its object again"],
  "cluster.objectUid": ["", "likewise"],
  "cluster.resourceVersion": ["", "likewise"],
  "cluster.namespaceUid": ["", "likewise"],
  "cluster.crdUid": ["", "likewise"],
  "cluster.clusterUid": ["", "likewise"],
  "bundle.volume": ["info coredump k-list k-info"],
  "bundle.key": ["info coredump k-info"],
  "bundle.sizeBytes": ["info coredump k-info"],
  "bundle.checksum": ["", "proves the upload, and is of the compressed bytes"],
  "delivery.state": ["info coredump k-info"],
  "delivery.claim": ["info coredump k-info"],
  "delivery.reason": ["coredump", "its message says more"],
  "delivery.message": ["info coredump k-info"],
  "delivery.since": ["", "how the node knows when to give up"],
  "crash.title": ["list info coredump k-list k-info bundle"],
  "crash.fingerprint": ["info coredump k-info bundle"],
  "crash.site": ["coredump bundle", "for grouping by machines"],
  "crash.version": ["coredump bundle", "likewise"],
  "crash.problem": ["info coredump k-info bundle"],
  "crash.deeper": ["info coredump k-info bundle"],
  "crash.runtime.name": ["coredump bundle", "the stack shows it"],
  "crash.runtime.version": ["coredump bundle", "likewise"],
  "crash.stack": ["info coredump k-info bundle"],
  "crash.threads": ["coredump bundle", "the screen has the thread that crashed; -o yaml has the others"],
  "crash.modules": ["info coredump k-info bundle"],
  "core.path": ["info", "a path of the node"],
  "core.sizeBytes": ["list info coredump bundle"],
  "core.storedBytes": ["list info coredump k-list k-info bundle"],
  "core.logicalBytes": ["coredump k-info bundle"],
  "core.expectedBytes": ["list info coredump k-info bundle"],
  "core.complete": ["list info coredump k-list k-info bundle"],
  "core.sha256": ["info coredump k-info bundle"],
  "core.truncation": ["list info coredump bundle"],
  "core.capture": ["bundle", "how, not what: for those who look into a slow capture"],
};

test("the whole record has every field that is declared", () => {
  assert.deepEqual(pathsIn(WHOLE as unknown as Tree).sort(), declaredIn(RECORD.fields).sort());
});

test("each field of a record is seen where it is said to be, or it is said why not", async () => {
  for (const path of pathsIn(WHOLE as unknown as Tree)) {
    const [places, why] = SHOWN[path] ?? [];
    assert.equal(await placesOf(path), places, `${path} where SHOWN says that it is seen, and nowhere else`);
    const isSeen = /info/.test(places ?? "") && /coredump/.test(places ?? "");
    assert.equal(why === undefined, isSeen, `${path}: why is it not seen?`);
  }
});

test("SHOWN has no field that is gone", () => {
  const paths = new Set(pathsIn(WHOLE as unknown as Tree));
  assert.deepEqual(
    Object.keys(SHOWN).filter((path) => !paths.has(path)),
    [],
  );
});
