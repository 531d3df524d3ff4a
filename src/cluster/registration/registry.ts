/** What the node needs of the cluster, and no more. */
import type { ClaimPod } from "../../domain/claim.ts";
import type { DumpCluster } from "../../domain/dump.ts";
import type { Coredump } from "../../kube/coredump.ts";
import type { PodRecord } from "./coredump.ts";

/** Who the cluster is at this moment: what distinguishes a wanted deletion from an API that lost its data. */
export interface NamespaceState {
  /** uid of the namespace kube-system. */
  readonly clusterUid: string;
  /** uid of our CustomResourceDefinition, while it is established and not being removed; else undefined. */
  readonly crdUid: string | undefined;
  /** uid of the namespace; undefined when there is none of that name. */
  readonly namespaceUid: string | undefined;
  /** When it was made. */
  readonly namespaceSince: string | undefined;
  /** What the namespace says of dumps. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Of a list of its Coredumps, asked for now. */
  readonly listVersion: string;
}

/** A pod as the API knows it; undefined when it is gone. */
export interface PodSeen {
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As the API says it: its claim, volumes and mounts. */
  readonly object: ClaimPod;
  /** `false`: it has a user namespace of its own. */
  readonly hostUsers: boolean;
}

export interface Changes {
  /** All of this node's there are, at that version: after the start, and whenever the watch lost its place. */
  listed(coredumps: readonly Coredump[], version: string): void;
  changed(coredump: Coredump): void;
  deleted(coredump: Coredump): void;
}

/**
 * The cluster's book of dumps. Everything here is idempotent; nothing here decides about a local copy.
 * @throws DumpError API_UNAVAILABLE, API_DENIED, API_CONFLICT, API_GONE, API_INVALID, NOT_FOUND
 */
export interface Registry {
  namespace(namespace: string, signal: AbortSignal): Promise<NamespaceState>;
  pod(record: PodRecord, signal: AbortSignal): Promise<PodSeen | undefined>;
  /** Makes the object, or finds the one that an earlier try made: the id in it tells. */
  create(record: PodRecord, namespaceUid: string, signal: AbortSignal): Promise<Coredump>;
  read(record: PodRecord, name: string, signal: AbortSignal): Promise<Coredump | undefined>;
  /** Writes what the record says, if the object is still the version given. @returns it, as it then is */
  report(record: PodRecord, seen: Coredump, signal: AbortSignal): Promise<Coredump>;
  /** Writes a sentence for its owner into an object's status, if it is still the version given. */
  note(seen: Coredump, message: string, signal: AbortSignal): Promise<void>;
  /** This node's objects, until the signal. */
  follow(node: string, changes: Changes, onProblem: (problem: unknown) => void, signal: AbortSignal): Promise<void>;
}

/** What the record remembers of its object. */
export const bindingOf = (
  { metadata }: Coredump,
  { clusterUid, crdUid }: Pick<NamespaceState, "clusterUid" | "crdUid">,
  namespaceUid: string,
): DumpCluster => ({
  name: metadata.name,
  objectUid: metadata.uid,
  resourceVersion: metadata.resourceVersion,
  namespaceUid,
  crdUid: crdUid ?? "",
  clusterUid,
});

/**
 * Whether an object that is not there was deleted on purpose (docs/cluster.md). In doubt
 * it was not: then it is registered again.
 * @param wasTold  a watch has reported the deletion: then its namespace may be gone with it
 */
export function isDeletion(known: DumpCluster, view: NamespaceState, wasTold: boolean): boolean {
  if (view.clusterUid !== known.clusterUid || view.crdUid !== known.crdUid) return false;
  if (wasTold) return true;
  return view.namespaceUid === known.namespaceUid && isNotOlder(view.listVersion, known.resourceVersion);
}

/** Versions of one API server are numbers that grow; anything else proves nothing. */
export function isNotOlder(version: string, than: string): boolean {
  return /^\d+$/.test(version) && /^\d+$/.test(than) && BigInt(version) >= BigInt(than);
}
