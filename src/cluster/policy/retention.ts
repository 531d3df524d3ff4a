/**
 * What the store and the cluster keep no longer (docs/collector.md). Pure: what is there, the settings and the
 * time, to verdicts. Whatever is not known, or not due, stays.
 */
import { createHash } from "node:crypto";
import { isOnItsWay, isOver } from "../../domain/states.ts";
import type {
  BundleView,
  Doubtful,
  EndpointView,
  Order,
  PodView,
  RecordView,
  RetentionSettings,
  RetentionWorld,
  UploadView,
  Verdicts,
  Why,
} from "./retention-world.ts";

/** Tells a dump, in keys as in Coredumps. */
export const dumpOf = (namespace: string, podUid: string, shortId: string): string =>
  `${namespace}/${podUid}/${shortId}`;

/** As the predecessor named them; an object's name has 253 characters. */
export const endpointOf = ({ name, uid }: Pick<PodView, "name" | "uid">): string =>
  `${name.slice(0, 244).replace(/[.-]+$/, "")}-${createHash("sha1").update(uid).digest("hex").slice(0, 8)}`;

/** Its core is on its way into the store; "" has just been made. */
const mayCome = (state: string): boolean => state === "" || isOnItsWay(state);
/** The store's clock and the API server's may differ. */
const SKEW_MS = 5 * 60_000;
/** A limit that something broke more than so long ago was not in force then: it is new, a clock is wrong, or there was no collector. */
const IN_TIME_MS = 86_400_000;

interface Fate extends Doubtful {
  readonly why: Why;
}

export function retention(world: RetentionWorld, settings: RetentionSettings, nowMs: number): Verdicts {
  return new Retention(world, settings, nowMs).verdicts();
}

class Retention {
  readonly #world: RetentionWorld;
  readonly #settings: RetentionSettings;
  readonly #nowMs: number;
  readonly #records: ReadonlyMap<string, RecordView>;
  readonly #missed = {
    pods: new Map<string, number>(),
    orphans: new Map<string, number>(),
    ordered: new Map<string, Order>(),
  };
  /** uids of pods whose deletion was seen, now or before a restart of ours. */
  readonly #podsOrdered: Set<string>;
  #nextMs = Number.POSITIVE_INFINITY;

  constructor(world: RetentionWorld, settings: RetentionSettings, nowMs: number) {
    this.#world = world;
    this.#settings = settings;
    this.#nowMs = nowMs;
    this.#records = new Map(world.records.map((record) => [record.dump, record]));
    this.#podsOrdered = new Set(world.podsDeleted);
  }

  verdicts(): Verdicts {
    const { bundles, records, endpoints, uploads } = this.#world;
    const fates = new Map<BundleView, Fate>();
    for (const bundle of bundles) {
      const fate = this.#fate(bundle);
      if (fate) fates.set(bundle, fate);
    }
    for (const [bundle, fate] of this.#overSize(bundles.filter((each) => !fates.has(each)))) fates.set(bundle, fate);
    const byDump = new Map(bundles.flatMap((bundle) => (bundle.dump === "" ? [] : [[bundle.dump, bundle] as const])));
    const verdicts = {
      bundles: [...fates].map(([bundle, fate]) => ({ bundle, ...fate })),
      records: records.flatMap((record) => {
        const bundle = byDump.get(record.dump);
        return this.#record(record, bundle, bundle && fates.get(bundle)) ?? [];
      }),
      endpoints: (endpoints ?? []).flatMap((endpoint) => {
        const why = this.#endpoint(endpoint);
        const isDoubtful = why === "PodDeleted" && !this.#podsOrdered.has(endpoint.podUid);
        return why ? [{ endpoint, why, isDoubtful }] : [];
      }),
      newEndpoints: this.#newEndpoints(),
      uploads: uploads.filter((upload) => this.#isLost(upload)),
      missed: this.#missed,
    };
    return { ...verdicts, nextMs: Number.isFinite(this.#nextMs) ? this.#nextMs : undefined };
  }

  #fate(bundle: BundleView): Fate | undefined {
    const order = this.#order(bundle);
    if (order !== undefined) this.#missed.ordered.set(bundle.key, order);
    if (order === "PodDeleted") this.#podsOrdered.add(bundle.podUid);
    const why = this.#bundle(bundle);
    if (why === undefined) return undefined;
    if (why === "OverAge") return { why, isDoubtful: !this.#isInTime(bundle, this.#mostAgeMs(bundle)) };
    const isOrdered = why === "AlreadyDeleted" || (order !== undefined && (order !== "PodDeleted" || why === order));
    return { why, isDoubtful: !isOrdered };
  }

  /** What was seen to be deleted, and is not there. */
  #order(bundle: BundleView): Order | undefined {
    const { namespaces, namespacesDeleted, ownerDeleted, pods, podsDeleted, missed } = this.#world;
    const { key, kind, restricted, namespace, dump, podUid } = bundle;
    if (kind !== "pod" || restricted) return undefined;
    const record = this.#records.get(dump);
    const now = namespaces.get(namespace);
    const isReplaced = now !== undefined && record?.namespaceUid !== undefined; // by one of the same name
    const orders: readonly (readonly [Order, boolean, boolean])[] = [
      [
        "NamespaceDeleted",
        this.#isOfAnotherNamespace(bundle, record),
        now?.isGoing === true || isReplaced || namespacesDeleted.has(namespace),
      ],
      ["OwnerDeleted", record === undefined, ownerDeleted.has(dump)],
      ["PodDeleted", !pods.has(podUid), podsDeleted.has(podUid)],
    ];
    const before = missed.ordered.get(key);
    return orders.find(([order, isGone, isSeen]) => isGone && (isSeen || before === order))?.[0];
  }

  #bundle(bundle: BundleView): Why | undefined {
    const isOver = this.#isOld(bundle, this.#mostAgeMs(bundle));
    if (bundle.restricted || bundle.kind !== "pod") return isOver ? "OverAge" : undefined;
    const record = this.#records.get(bundle.dump);
    if (this.#isOfAnotherNamespace(bundle, record)) return "NamespaceDeleted";
    if (record && mayCome(record.state)) return undefined; // its agent has not said yet that it is stored
    if (record?.state === "Deleted") return "AlreadyDeleted";
    if (!record && this.#world.ownerDeleted.has(bundle.dump)) return "OwnerDeleted";
    if (!record && this.#isMissedFor(bundle.key, "orphans", this.#settings.orphanMs)) return "NoCoredump";
    if (this.#isPodLongGone(bundle.podUid)) return "PodDeleted";
    return isOver ? "OverAge" : undefined;
  }

  #mostAgeMs({ kind, restricted }: BundleView): number {
    const { hostMs, dockerMs, restrictedMs, maxAgeMs } = this.#settings;
    return restricted ? restrictedMs : { host: hostMs, docker: dockerMs, pod: maxAgeMs }[kind];
  }

  #isOfAnotherNamespace({ namespace, sinceMs }: BundleView, record: RecordView | undefined): boolean {
    const now = this.#world.namespaces.get(namespace);
    if (!now || now.isGoing) return true;
    if (record?.namespaceUid !== undefined) return record.namespaceUid !== now.uid;
    return record === undefined && sinceMs + SKEW_MS < now.createdMs;
  }

  /** The oldest, until the others fit. In doubt where they did not fit a day ago either, and it was accepted. */
  #overSize(bundles: readonly BundleView[]): [BundleView, Fate][] {
    const { namespaceBytes } = this.#settings;
    if (namespaceBytes === undefined) return [];
    const stored = bundles.filter((bundle) => bundle.kind === "pod" && !bundle.restricted && this.#isStored(bundle));
    return [...Map.groupBy(stored, ({ namespace }) => namespace).values()].flatMap((ofOne) => {
      const isDoubtful = sum(ofOne.filter(({ sinceMs }) => sinceMs + IN_TIME_MS < this.#nowMs)) > namespaceBytes;
      let overBytes = sum(ofOne) - namespaceBytes;
      return ofOne
        .sort((a, b) => a.sinceMs - b.sinceMs || (a.key < b.key ? -1 : 1))
        .filter(({ sizeBytes }) => {
          const isOver = overBytes > 0n;
          overBytes -= BigInt(sizeBytes);
          return isOver;
        })
        .map((bundle): [BundleView, Fate] => [bundle, { why: "OverSize", isDoubtful }]);
    });
  }

  #isStored({ dump }: BundleView): boolean {
    return !mayCome(this.#records.get(dump)?.state ?? "Saved");
  }

  #record(
    record: RecordView,
    bundle: BundleView | undefined,
    fate: Fate | undefined,
  ): Verdicts["records"][number] | undefined {
    const namespace = this.#world.namespaces.get(record.namespace);
    if (!namespace || namespace.isGoing) return undefined; // it goes with its namespace
    const isDoubtful = fate?.isDoubtful === true; // what is said of a bundle waits for the bundle
    if (record.namespaceUid !== undefined && record.namespaceUid !== namespace.uid)
      return { record, act: "delete", why: "NamespaceDeleted", isDoubtful };
    if (!isOver(record.state)) return undefined; // a deletion would drop the core there
    const { maxAgeMs } = this.#settings;
    if (this.#isOld(record, maxAgeMs))
      return { record, act: "delete", why: "OverAge", isDoubtful: isDoubtful || !this.#isInTime(record, maxAgeMs) };
    if (record.state !== "Saved") return undefined;
    if (fate !== undefined) return { record, act: "markDeleted", why: fate.why, isDoubtful };
    if (this.#isPodLongGone(record.podUid)) return { record, act: "markDeleted", why: "PodDeleted", isDoubtful };
    if (bundle) return record.isMissing ? { record, act: "markFound", isDoubtful } : undefined;
    const isMissing = record.dump !== "" && this.#world.savedBefore.has(record.uid);
    return isMissing && !record.isMissing ? { record, act: "markMissing", isDoubtful } : undefined;
  }

  #endpoint({ namespace, namespaceUid, podUid }: EndpointView): Why | undefined {
    const now = this.#world.namespaces.get(namespace);
    if (!now || now.isGoing) return undefined; // it goes with its namespace
    if (namespaceUid !== undefined && namespaceUid !== now.uid) return "NamespaceDeleted";
    return podUid !== "" && this.#isPodLongGone(podUid) ? "PodDeleted" : undefined;
  }

  #newEndpoints(): Verdicts["newEndpoints"] {
    const { endpoints, autoPods, namespaces } = this.#world;
    const there = new Set(endpoints?.map(({ namespace, name }) => `${namespace}/${name}`));
    return (endpoints ? autoPods : [])
      .map((pod) => ({ ...pod, endpoint: endpointOf(pod) }))
      .filter(({ namespace, endpoint }) => {
        const now = namespaces.get(namespace);
        return now && !now.isGoing && !there.has(`${namespace}/${endpoint}`);
      });
  }

  #isLost({ dump, begunMs }: UploadView): boolean {
    const state = this.#records.get(dump)?.state;
    if (state !== undefined && mayCome(state)) return false;
    return this.#isDue(begunMs, this.#settings.uploadMs);
  }

  #isOld({ sinceMs }: { readonly sinceMs: number }, mostMs: number): boolean {
    return mostMs > 0 && this.#isDue(sinceMs, mostMs);
  }

  /** Of what is old: whether it has only just become so. */
  #isInTime({ sinceMs }: { readonly sinceMs: number }, mostMs: number): boolean {
    return sinceMs + mostMs + IN_TIME_MS > this.#nowMs;
  }

  #isPodLongGone(uid: string): boolean {
    return !this.#world.pods.has(uid) && this.#isMissedFor(uid, "pods", this.#settings.podGoneMs);
  }

  #isMissedFor(what: string, kind: "pods" | "orphans", graceMs: number): boolean {
    const sinceMs = Math.min(this.#world.missed[kind].get(what) ?? this.#nowMs, this.#nowMs);
    this.#missed[kind].set(what, sinceMs);
    return this.#isDue(sinceMs, graceMs);
  }

  #isDue(sinceMs: number, afterMs: number): boolean {
    if (sinceMs + afterMs <= this.#nowMs) return true;
    this.#nextMs = Math.min(this.#nextMs, sinceMs + afterMs);
    return false;
  }
}

const sum = (bundles: readonly BundleView[]): bigint =>
  BigInt(bundles.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0));
