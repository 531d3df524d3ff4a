/** A cluster in memory, a cache in a folder, and a store that is a list; each call may be told to fail. */
import { writeFileSync } from "node:fs";
import { coredumpOf, lateFields, type PodRecord, statusOf } from "../../../src/cluster/registration/coredump.ts";
import type { NamespaceState, PodSeen, Registry } from "../../../src/cluster/registration/registry.ts";
import type { Next, StepContext } from "../../../src/cluster/steps/context.ts";
import { advanceDump } from "../../../src/cluster/steps/steps.ts";
import { CLUSTER_OPTIONS } from "../../../src/config/cluster-options.ts";
import { CAPTURE_OPTIONS, NODE_OPTIONS } from "../../../src/config/options.ts";
import { valuesOf } from "../../../src/config/values.ts";
import type { DumpRecord } from "../../../src/domain/dump.ts";
import { DumpError } from "../../../src/domain/failures.ts";
import type { State } from "../../../src/domain/states.ts";
import type { Coredump } from "../../../src/kube/coredump.ts";
import { readRecord } from "../../../src/node/cache/record.ts";
import { podRecord, UID } from "../../cluster/registration/records.ts";
import { testSpool } from "../../node/cache/caches.ts";

export const NOW = new Date("2026-11-21T07:22:00.000Z");

/** What a kill looks like from inside: the call never returns. */
export class Killed extends Error {}

export class FakeCluster implements Registry {
  readonly objects = new Map<string, Coredump>();
  version = 100;
  next = 1;
  namespaceNow: NamespaceState = {
    clusterUid: "cluster",
    crdUid: "crd",
    namespaceUid: UID,
    namespaceSince: "2026-11-01T00:00:00Z",
    labels: {},
    annotations: {},
    listVersion: "",
  };
  podNow: PodSeen | undefined = { uid: podRecord().pod.uid, labels: {}, object: {}, hostUsers: true };
  /** Before and after each call's effect. */
  around: (call: string) => void = () => undefined;

  async namespace() {
    return this.#call("namespace", () => ({
      ...this.namespaceNow,
      listVersion: this.namespaceNow.listVersion || `${this.version}`,
    }));
  }
  async pod() {
    return this.#call("pod", () => this.podNow);
  }
  async create(record: PodRecord, namespaceUid: string) {
    return this.#call("create", () => {
      const { metadata, ...made } = coredumpOf(record, namespaceUid);
      const there = this.objects.get(metadata.name);
      if (there) return there;
      return this.put({ ...made, metadata: { ...metadata, uid: `object-${this.next++}`, resourceVersion: "" } });
    });
  }
  async read(_record: PodRecord, name: string) {
    return this.#call("read", () => this.objects.get(name));
  }
  async report(record: PodRecord, seen: Coredump) {
    return this.#call("report", () => {
      const there = this.objects.get(seen.metadata.name);
      if (there?.metadata.resourceVersion !== seen.metadata.resourceVersion)
        throw new DumpError("API_CONFLICT", "changed");
      const spec = { ...there.spec, ...lateFields(record) };
      return this.put({ ...there, spec, status: statusOf(record, seen.status, NOW) });
    });
  }
  async note(seen: Coredump, message: string) {
    this.#call("note", () => void this.put({ ...seen, status: { ...seen.status, message } }));
  }
  async follow() {}

  put(object: Coredump): Coredump {
    const made = { ...object, metadata: { ...object.metadata, resourceVersion: `${++this.version}` } };
    this.objects.set(made.metadata.name, made);
    return made;
  }

  /** As the controller does. */
  judge(state: State, message = ""): void {
    for (const object of this.objects.values())
      if (object.status?.state === "Created") this.put({ ...object, status: { ...object.status, state, message } });
  }

  get only(): Coredump | undefined {
    return [...this.objects.values()][0];
  }

  #call<T>(name: string, act: () => T): T {
    this.around(`before ${name}`);
    const done = act();
    this.around(`after ${name}`);
    return done;
  }
}

export function scene(change: Partial<DumpRecord> = {}) {
  const spool = testSpool();
  const cluster = new FakeCluster();
  const entry = spool.entry(1);
  const { id } = entry;
  writeFileSync(entry.core, "the core");
  writeFileSync(entry.record, JSON.stringify(podRecord({ id, ...change })));
  const bundles: string[] = [];
  const told: string[] = [];
  const nothing = () => undefined;
  const context = {
    node: "node-1",
    registry: cluster,
    settings: {
      ...valuesOf(NODE_OPTIONS, nothing, nothing),
      ...valuesOf(CAPTURE_OPTIONS, nothing, nothing),
      ...valuesOf(CLUSTER_OPTIONS, nothing, nothing),
    } as StepContext["settings"],
    ship: async (record: DumpRecord) => {
      cluster.around("before ship");
      if (!bundles.includes(record.id)) bundles.push(record.id); // putting the same key again is harmless
      cluster.around("after ship");
      return { volume: "/store", key: "k", sizeBytes: 7, checksum: "crc32:0" };
    },
    deliver: undefined as StepContext["deliver"],
    events: {
      delivery: async ({ delivery }: PodRecord) => void told.push(`${delivery?.state}: ${delivery?.reason}`),
      crash: async ({ state }: PodRecord) => void told.push(state),
      nearlyFull: async () => void told.push("nearly full"),
    },
    heldBy: () => 4096n,
    now: () => NOW,
    deleted: new Set<string>(),
    forgotten: new Set<string>(),
  };
  return {
    ...{ cluster, entry, bundles, told, context },
    record: () => readRecord(entry),
    step: (mayShip = true, signal = new AbortController().signal): Promise<Next> =>
      advanceDump({ ...context, entry, mayShip, signal }),
    [Symbol.dispose]: () => spool[Symbol.dispose](),
  };
}
