import type { Crash } from "./crash.ts";

/**
 * A dump's record: what `record.json` holds, what `list -o json` prints, what the agent takes further.
 *
 * All text is valid Unicode made by `textOf()` from bytes that a crashed process may have chosen; print it through
 * `printable()`. Bytes are plain numbers here (they end up in JSON). Times are ISO 8601 in UTC with milliseconds.
 * `null` means "not known", never "none".
 */
export interface DumpRecord {
  readonly version: 1;
  /** UUIDv7; the directory in the cache has this name. */
  readonly id: string;
  readonly state: State;
  /** One word for machines; null while nothing is out of the ordinary. */
  readonly reason: Reason | null;
  /** One sentence for people. */
  readonly message: string | null;
  /** When the kernel called us. */
  readonly dumptime: string;
  /** When the record last changed. */
  readonly updated: string;
  /** %P: pid in the initial namespace. */
  readonly hostPid: number;
  /** %I: the crashing thread, likewise. */
  readonly hostTid: number | null;
  /** %p: pid in the process's own namespace. */
  readonly containerPid: number | null;
  /** Base name of `exe`, else the process's comm, else %e. */
  readonly executable: string;
  /** What /proc/P/exe points to, in the process's own mount namespace. */
  readonly exe: string | null;
  /** The process's comm; `threadName` is %e, the comm of the thread that crashed. */
  readonly comm: string | null;
  readonly threadName: string | null;
  readonly signal: DumpSignal | null;
  /** The crashing thread first. Capped: `threadCount` is the true number. */
  readonly threads: readonly DumpThread[];
  readonly threadCount: number | null;
  /** %u, %g: real ids in the initial user namespace. */
  readonly processUid: number | null;
  readonly processGid: number | null;
  /** %d: 1 is an ordinary process; anything else, null too, is memory that only root may read (`isOrdinary`). */
  readonly dumpable: number | null;
  /** %c: soft RLIMIT_CORE in bytes, as text because "unlimited" is 2^64-1. */
  readonly coreLimit: string | null;
  /** How long the process had been running. */
  readonly uptimeMs: number | null;
  /** How long we held the process, and with it its container's restart. */
  readonly heldMs: number | null;
  readonly node: string;
  /** The crashed process's UTS name: a container's own word, information only. */
  readonly hostname: string | null;
  readonly owner: OwnerKind;
  readonly container: DumpContainer | null;
  readonly pod: DumpPod | null;
  readonly identity: DumpIdentity;
  readonly core: DumpCore;
  /** Its Coredump object; null until it is registered. */
  readonly cluster: DumpCluster | null;
  /** Its bundle in the store; null until that was verified there. */
  readonly bundle: DumpBundle | null;
  /** Its copy in the pod's own claim; null where none was asked for, or nobody has asked the API yet. */
  readonly delivery: DumpDelivery | null;
  /** Why it crashed, in short (`crash.json` beside the record has all of it); null until known, or where it cannot be. */
  readonly crash: Crash | null;
  /** Things that went wrong without losing the dump; for people. */
  readonly warnings: readonly string[];
}

/**
 * Whether the process was an ordinary one, whose memory its own user may read: the kernel's dump mode (prctl(2),
 * PR_SET_DUMPABLE) is known and 1. What is not known is never taken for ordinary (CVE-2022-4415).
 */
export const isOrdinary = ({ dumpable }: Pick<DumpRecord, "dumpable">): boolean => dumpable === 1;

/** `unknown`: in a container, but nobody could say which pod or name it has (yet). */
export type OwnerKind = "pod" | "docker" | "container" | "host" | "unknown";

export interface DumpSignal {
  readonly number: number;
  readonly name: string;
  /** si_code (sigaction(2)) and its meaning. */
  readonly code: number | null;
  readonly codeText: string | null;
  /** si_addr as hex (`0xdead`), for faults only. */
  readonly faultAddress: string | null;
}

export interface DumpThread {
  /** In the process's own pid namespace, as gdb shows it. */
  readonly tid: number;
  readonly name: string | null;
  readonly crashed: boolean;
}

export interface DumpContainer {
  /** `containerd`, `cri-o`, `docker`, `podman`; `unknown` when only the cgroup named it. */
  readonly runtime: string;
  readonly id: string;
  readonly name: string | null;
  readonly image: string | null;
  /** `sha256:…` of the image, as the run-time states it. */
  readonly imageDigest: string | null;
  /** Restart count. */
  readonly attempt: number | null;
}

export interface DumpPod {
  readonly namespace: string;
  readonly name: string;
  /** The API's uid (static pods: mapped from their configuration's hash once the API is at hand). */
  readonly uid: string;
}

export interface DumpIdentity {
  /** Where the answer came from. `none`: a host process, or nobody answered. */
  readonly source: "state-files" | "cri" | "docker" | "none";
  /** Whether the run-time's own API has said the same (state files alone are quick, not proof of labels). */
  readonly confirmed: boolean;
  /** Why not, when it is not. */
  readonly problem: string | null;
  /** The cgroup path that named the container. */
  readonly cgroup: string | null;
}

export interface DumpCore {
  /** Absolute path while the cache holds it. */
  readonly path: string | null;
  /** Bytes of the core that were kept, from its first on (complete: equal to `expectedBytes`). */
  readonly sizeBytes: number | null;
  /** Bytes held on the disk, holes not counted: what quotas charge. */
  readonly storedBytes: number | null;
  /** Length of the core file. */
  readonly logicalBytes: number | null;
  /** max(p_offset + p_filesz) over the program headers. */
  readonly expectedBytes: number | null;
  /** Null until it is known. */
  readonly complete: boolean | null;
  /** Hex digest of the file's bytes, holes as zeros. */
  readonly sha256: string | null;
  readonly truncation: Truncation | null;
  /** How it was copied; null when it never was. */
  readonly capture: "drain" | "direct" | null;
}

/** Enough to tell this object, in this namespace, of this cluster, from any other that has its name. */
export interface DumpCluster {
  /** Object name; the namespace is the pod's. */
  readonly name: string;
  readonly objectUid: string;
  readonly resourceVersion: string;
  readonly namespaceUid: string;
  /** uid of the CustomResourceDefinition: when that is made anew, the object's absence means nothing. */
  readonly crdUid: string;
  /** uid of the namespace kube-system. */
  readonly clusterUid: string;
}

export interface DumpBundle {
  /** The store's name: a claim, a directory, `s3://bucket/prefix`. */
  readonly volume: string;
  readonly key: string;
  readonly sizeBytes: number;
  /** Of all its bytes, as the store answered: `crc32:` and eight hex digits. */
  readonly checksum: string;
}

export interface DumpDelivery {
  /** While it is Pending the core stays. */
  readonly state: "Pending" | "Delivered" | "GivenUp";
  /** The claim's name, in the pod's namespace. */
  readonly claim: string;
  /** What the last try came to; null before the first. */
  readonly reason: DeliveryReason | null;
  /** One sentence for people. */
  readonly message: string | null;
  /** When it was first known that the owner wants it: the time for it counts from here. */
  readonly since: string;
}

export type DeliveryReason =
  | "Delivered"
  | "NotDumpable" // %d ≠ 1, or not known
  | "PodGone"
  | "CoreGone" // evicted, deleted or lost before it came to it
  | "NotMounted" // no mount of the claim at /var/coredump, in the pod's spec or on the node
  | "OwnerUnknown" // whose the file would have to be
  | "ReadOnly"
  | "AccessDenied"
  | "NameTaken" // the container put something under the file's name
  | "VolumeFull"
  | "VolumeHangs"
  | "WriteFailed"; // any other error of the volume

/** Why a core is shorter than its headers say. */
export type Truncation =
  | "size-cap" // the cap for one dump
  | "cache-full" // the cache's own limits
  | "disk-full" // ENOSPC, EDQUOT or the free space to keep
  | "write-failed" // any other error of the cache's disk
  | "source-cut-short" // the kernel's stream ended early: the process was killed, or a sandbox sends nothing
  | "handler-killed" // we died; what was on the disk was kept
  | "not-elf"; // the stream is no ELF core: nothing to expect

/** The same words on the node, in the API and in the code. */
export const STATES = [
  "Capturing",
  "Captured",
  "Created",
  "Allowed",
  "Denied",
  "Saved",
  "FailedToSave",
  "Refused",
  "Restricted",
  "Evicted",
  "Deleted",
  "Lost",
] as const;

export type State = (typeof STATES)[number];

export type Reason =
  | "OptedOut" // the label, or RLIMIT_CORE where it is honoured
  | "HostIgnored" // host process, and the policy is not to keep those
  | "Chained" // host process, passed on to the pattern's former owner
  | "TooBig" // known before the first byte of memory
  | "NoRoom" // no room in the cache or on its disk, even after eviction
  | "OverQuota" // the controller's Denied
  | "NotDumpable" // %d ≠ 1, or not known
  | "NothingReceived" // 0 bytes came
  | "Truncated" // kept, but cut short: `core.truncation` says why
  | "MadeRoom" // evicted for a newer dump
  | "OwnerDeleted" // the owner's delete was read
  | "OperatorDeleted" // `coredump-detector delete`
  | "KernelGaveUp"; // read from /dev/kmsg
