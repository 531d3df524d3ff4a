/** What retention looks at, and what comes of it. Times are milliseconds of the epoch. */
export interface RetentionSettings {
  readonly podGoneMs: number;
  /** Of this and the other ages, 0 is for ever. */
  readonly maxAgeMs: number;
  readonly namespaceBytes?: bigint | undefined;
  readonly orphanMs: number;
  readonly uploadMs: number;
  readonly hostMs: number;
  readonly dockerMs: number;
  readonly restrictedMs: number;
}

/** What is there, or, in a round over one namespace, what of it is there in that. */
export interface RetentionWorld {
  readonly namespaces: ReadonlyMap<string, NamespaceView>;
  /** uids of all pods there are, in whatever phase. */
  readonly pods: ReadonlySet<string>;
  /** Pods whose owners want an endpoint. */
  readonly autoPods: readonly PodView[];
  readonly records: readonly RecordView[];
  /** Undefined where they are not served. */
  readonly endpoints: readonly EndpointView[] | undefined;
  readonly bundles: readonly BundleView[];
  readonly uploads: readonly UploadView[];
  /** Dumps (`dumpOf`) whose Coredump was deleted, as we saw ourselves. */
  readonly ownerDeleted: ReadonlySet<string>;
  /** Names of namespaces, and uids of pods, whose deletion we saw: that something is not there proves less. */
  readonly namespacesDeleted: ReadonlySet<string>;
  readonly podsDeleted: ReadonlySet<string>;
  /** uids of the Coredumps that were Saved before the store was listed: a bundle that is not in the list is missing. */
  readonly savedBefore: ReadonlySet<string>;
  readonly missed: Missed;
}

/** Since when what is not there has not been: milliseconds of the epoch, by pod uid and by key. Outlives us. */
export interface Missed {
  readonly pods: ReadonlyMap<string, number>;
  readonly orphans: ReadonlyMap<string, number>;
  /** By key, the deletion that was seen for which a bundle is to go, now or later. */
  readonly ordered: ReadonlyMap<string, Order>;
}

export interface NamespaceView {
  readonly uid: string;
  readonly createdMs: number;
  /** It is being deleted, which cannot be undone. */
  readonly isGoing: boolean;
}

export interface PodView {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** A Coredump. */
export interface RecordView {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Of its dump; "" when it does not say which that is. */
  readonly dump: string;
  readonly podUid: string;
  readonly namespaceUid: string | undefined;
  readonly state: string;
  /** When the object was made. */
  readonly sinceMs: number;
  /** It says that its bundle is missing. */
  readonly isMissing: boolean;
}

export interface EndpointView {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly podUid: string;
  readonly namespaceUid: string | undefined;
}

export interface BundleView {
  readonly key: string;
  readonly kind: "pod" | "docker" | "host";
  readonly restricted: boolean;
  /** "" where there is none, as of `dump` and `podUid`. */
  readonly namespace: string;
  readonly podUid: string;
  readonly dump: string;
  /** When it was stored, by the store's clock: a node's may be wrong. */
  readonly sinceMs: number;
  readonly sizeBytes: number;
}

export interface UploadView {
  readonly key: string;
  readonly dump: string;
  readonly begunMs: number;
}

/** A deletion that was seen, strongest first. */
export type Order = "NamespaceDeleted" | "OwnerDeleted" | "PodDeleted";

export type Why = Order | "NoCoredump" | "OverAge" | "OverSize" | "AlreadyDeleted";

type RecordAct = "delete" | "markDeleted" | "markMissing" | "markFound";

/** A verdict that rests on no deletion that was seen, and on no rule that took effect in time: what it rests on may be wrong. */
export interface Doubtful {
  readonly isDoubtful: boolean;
}

export interface Verdicts {
  readonly bundles: readonly ({ readonly bundle: BundleView; readonly why: Why } & Doubtful)[];
  readonly records: readonly ({
    readonly record: RecordView;
    readonly act: RecordAct;
    readonly why?: Why;
  } & Doubtful)[];
  readonly endpoints: readonly ({ readonly endpoint: EndpointView; readonly why: Why } & Doubtful)[];
  readonly newEndpoints: readonly (PodView & { readonly endpoint: string })[];
  readonly uploads: readonly UploadView[];
  /** Of what the world holds; for the next round. */
  readonly missed: Missed;
  /** When something will be due; undefined: nothing is in sight. */
  readonly nextMs: number | undefined;
}
