/** What the steps of a dump's way through the cluster need around them. The agent and the lone handler each bring theirs. */
import { hostname } from "node:os";
import type { ClusterSettings } from "../../config/cluster-options.ts";
import type { HandlerSettings } from "../../config/options.ts";
import type { DumpBundle, DumpRecord } from "../../domain/dump.ts";
import type { Coredump } from "../../kube/coredump.ts";
import type { Entry } from "../../node/cache/spool.ts";
import type { DeliveryJob, DeliveryOutcome } from "../../node/delivery/job.ts";
import type { PodRecord } from "../registration/coredump.ts";
import type { Registry } from "../registration/registry.ts";

/** The bundle of a dump, in the store and verified there. */
export type Ship = (record: DumpRecord, entry: Entry, signal: AbortSignal) => Promise<DumpBundle>;

/** A core into the claim of its pod. */
export interface Deliver {
  /** Rejects only with the signal's reason. */
  readonly send: (job: DeliveryJob, signal: AbortSignal) => Promise<DeliveryOutcome>;
  readonly kubeletRoot: string;
  /** How long it is tried. */
  readonly forMs: number;
}

export interface StepContext {
  /** What the cluster calls this node: the handler knows only the host's name where its settings give none. */
  readonly node: string;
  readonly registry: Registry;
  readonly settings: HandlerSettings & ClusterSettings;
  /** Undefined where there is no store, or none yet: what is allowed then waits. */
  readonly ship: Ship | undefined;
  /** Since when the store has not let us in (ISO 8601), as far as we know. */
  readonly storeDownSince?: (() => string | undefined) | undefined;
  /** Whether we see the quota's decision: then the crash's event waits for it, for a while, and says what became of the dump. */
  readonly seesDecisions?: boolean;
  /** Undefined where no delivery is possible: in a handler alone. */
  readonly deliver: Deliver | undefined;
  readonly events: EventRecorder;
  /** Bytes that the namespace's dumps hold on this node, this one included. */
  readonly heldBy: (namespace: string) => bigint;
  /** uids of objects whose deletion a watch has reported. */
  readonly deleted?: ReadonlySet<string>;
  /** uids of objects of which a list showed that the API has lost its memory since: that they are gone says nothing. */
  readonly forgotten?: ReadonlySet<string>;
  readonly now: () => Date;
}

/** Tells owners by events; never rejects. */
export interface EventRecorder {
  crash(record: PodRecord, coredump: string): Promise<void>;
  /** What became of the copy for the pod's own claim. */
  delivery(record: PodRecord): Promise<void>;
  /** What the namespace's dumps hold on this node comes near to what they may. */
  nearlyFull(namespace: NamespaceRef, heldBytes: bigint, quotaBytes: bigint): Promise<void>;
}

interface NamespaceRef {
  readonly name: string;
  readonly uid: string;
}

/** What is to come next. `hold`: nothing before something changes; asked again now and then. */
export type Next = "done" | "waiting" | "ship" | "busy" | "hold";

/** A dump as its two sides have it. `unread`: not looked at yet; `vanished`: not there, or not the one that the record knows. */
export interface Sides {
  readonly record: PodRecord;
  readonly coredump: Coredump | "unread" | "vanished";
}

export interface DumpContext extends StepContext {
  readonly entry: Entry;
  /** Whether this is the time and place for a transfer. */
  readonly mayShip: boolean;
  readonly signal: AbortSignal;
}

/** What the cluster calls this node where the settings give no name: the host's name in small letters, as kubelets register it. */
export const nodeNameOf = ({ nodeName }: Pick<HandlerSettings, "nodeName">): string =>
  nodeName ?? hostname().toLowerCase();
