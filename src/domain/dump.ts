/**
 * A dump's record: what `record.json` holds, what `list -o json` prints, what the agent takes further. A field is declared
 * here and nowhere else: its type, its check and the blank record come from it, and the bundle's part from where it stands.
 *
 * All text is valid Unicode made by `textOf()` from bytes that a crashed process may have chosen; print it through
 * `printable()`. Bytes are plain numbers here (they end up in JSON). Times are ISO 8601 in UTC with milliseconds.
 * `null` means "not known", never "none".
 */
import { CRASH, THREAD } from "./crash.ts";
import { flag, list, number, OTHER, object, oneOf, orNull, text, type ValueOf } from "./fields.ts";
import { type Reason, STATES } from "./states.ts";

const [maybeText, maybeNumber] = [orNull(text()), orNull(number())];

const SIGNAL = object({
  number: number(),
  name: text(),
  /** si_code (sigaction(2)) and its meaning. */
  code: maybeNumber,
  codeText: maybeText,
  /** si_addr as hex (`0xdead`), for faults only. */
  faultAddress: maybeText,
});

const CONTAINER = object({
  /** `containerd`, `cri-o`, `docker`, `podman`; `unknown` when only the cgroup named it. */
  runtime: text("unknown"),
  id: text(),
  name: maybeText,
  image: maybeText,
  /** `sha256:…` of the image, as the run-time states it. */
  imageDigest: maybeText,
  /** Restart count. */
  attempt: maybeNumber,
});

const POD = object({
  namespace: text(),
  name: text(),
  /** The API's uid (static pods: mapped from their configuration's hash once the API is at hand). */
  uid: text(),
});

const IDENTITY = object({
  /** Where the answer came from. `none`: a host process, or no engine answered. */
  source: text<"state-files" | "cri" | "docker" | "none">("none"),
  /** Whether the run-time's own API has said the same (state files alone are quick, not proof of labels). */
  confirmed: flag(),
  /** Why not, when it is not. */
  problem: maybeText,
  /** The cgroup path that named the container. */
  cgroup: maybeText,
});

const MEASURED = object({
  /** Bytes of the core that were kept, from its first on (complete: equal to `expectedBytes`). */
  sizeBytes: maybeNumber,
  /** Bytes held on the disk, holes not counted: what quotas charge. */
  storedBytes: maybeNumber,
  /** Length of the core file. */
  logicalBytes: maybeNumber,
  /** max(p_offset + p_filesz) over the program headers. */
  expectedBytes: maybeNumber,
  /** Null until it is known. */
  complete: orNull(flag()),
  /** Hex digest of the file's bytes, holes as zeros. */
  sha256: maybeText,
  truncation: orNull(text<Truncation>("source-cut-short")),
  /** How it was copied; null when it never was. */
  capture: orNull(text<"drain" | "direct">("drain")),
});

export const CORE = object({
  /** Absolute path while the cache holds it. */
  path: maybeText,
  ...MEASURED.fields,
});

/** Enough to tell this object, in this namespace, of this cluster, from any other that has its name. */
const CLUSTER = object({
  /** Object name; the namespace is the pod's. */
  name: text(),
  objectUid: text(),
  resourceVersion: text(),
  namespaceUid: text(),
  /** uid of the CustomResourceDefinition: when that is made again, the object's absence means nothing. */
  crdUid: text(),
  /** uid of the namespace kube-system. */
  clusterUid: text(),
});

const BUNDLE = object({
  /** The store's name: a claim, a directory, `s3://bucket/prefix`. */
  volume: text(),
  key: text(),
  sizeBytes: number(),
  /** Of all its bytes, as the store answered: `crc32:` and eight hex digits. */
  checksum: text(),
});

const DELIVERY = object({
  /** While it is Pending the core stays. */
  state: text<"Pending" | "Delivered" | "GivenUp">("Pending"),
  /** The claim's name, in the pod's namespace. */
  claim: text(),
  /** What the last try came to; null before the first. */
  reason: orNull(text<DeliveryReason>("Delivered")),
  /** One sentence for people. */
  message: maybeText,
  /** When it was first known that the owner wants it: the time for it counts from here. */
  since: text(),
});

/** What was found out about the crash, and whose it is: the bundle's `info.json` has it, too. No path of the node, no secret. */
const FOUND = object({
  version: number<1>(1),
  /** UUIDv7; the directory in the cache has this name. */
  id: text(),
  /** When the kernel called us. */
  dumptime: text(),
  node: text("unknown"),
  /** `unknown`: in a container, but no engine could say which pod or name it has (yet). */
  owner: text<"pod" | "docker" | "container" | "host" | "unknown">("unknown"),
  pod: orNull(POD),
  container: orNull(CONTAINER),
  identity: IDENTITY,
  /** Base name of `exe`, else the process's comm, else %e. */
  executable: text("unknown"),
  /** What /proc/P/exe points to, in the process's own mount namespace. */
  exe: maybeText,
  /** The process's comm; `threadName` is %e, the comm of the thread that crashed. */
  comm: maybeText,
  threadName: maybeText,
  /** The crashed process's UTS name: a container's own word, information only. */
  hostname: maybeText,
  /** %P: pid in the initial namespace. */
  hostPid: number(),
  /** %I: the crashing thread, likewise. */
  hostTid: maybeNumber,
  /** %p: pid in the process's own namespace. */
  containerPid: maybeNumber,
  /** %u, %g: real ids in the initial user namespace. */
  processUid: maybeNumber,
  processGid: maybeNumber,
  /** %d: 1 is an ordinary process; anything else, null too, is memory that only root may read (`isOrdinary`). */
  dumpable: maybeNumber,
  /** %c: soft RLIMIT_CORE in bytes, as text because "unlimited" is 2^64-1. */
  coreLimit: maybeText,
  /** How long the process had been running. */
  uptimeMs: maybeNumber,
  /** How long we held the process, and with it its container's restart. */
  heldMs: maybeNumber,
  signal: orNull(SIGNAL),
  core: MEASURED,
  threadCount: maybeNumber,
  /** The crashing thread first. Capped: `threadCount` is the true number. */
  threads: list(THREAD),
  /** Why it crashed, in short (`crash.json` beside the record has all of it); null until known, or where it cannot be. */
  crash: orNull(CRASH),
});

const { version, id, ...found } = FOUND.fields;

/** What `FOUND` has, and what is the node's alone or goes on changing while the dump makes its way. */
export const RECORD = object({
  version,
  id,
  state: oneOf(STATES, "Capturing"),
  /** One word for machines; null while nothing is out of the ordinary. */
  reason: orNull(text<Reason>("Truncated")),
  /** One sentence for people. */
  message: maybeText,
  /** When the record last changed. */
  updated: text(),
  ...found,
  core: CORE,
  /** Its Coredump object; null until it is registered. */
  cluster: orNull(CLUSTER),
  /** Its bundle in the store; null until that was verified there. */
  bundle: orNull(BUNDLE),
  /** Its copy in the pod's own claim; null where none was asked for, or the API was not asked yet. */
  delivery: orNull(DELIVERY),
  /** Things that went wrong without losing the dump; for people. */
  warnings: list(text()),
});

export type DumpRecord = ValueOf<typeof RECORD>;
export type DumpSignal = ValueOf<typeof SIGNAL>;
export type DumpThread = ValueOf<typeof THREAD>;
export type DumpContainer = ValueOf<typeof CONTAINER>;
export type DumpPod = ValueOf<typeof POD>;
export type DumpIdentity = ValueOf<typeof IDENTITY>;
export type DumpCore = ValueOf<typeof CORE>;
export type DumpCluster = ValueOf<typeof CLUSTER>;
export type DumpBundle = ValueOf<typeof BUNDLE>;
export type DumpDelivery = ValueOf<typeof DELIVERY>;
export type OwnerKind = DumpRecord["owner"];

/** A record in which nothing is known yet but when, where and by whom it was begun. */
export function blankRecord(id: string, time: Date, node: string): DumpRecord {
  return { ...RECORD.blank, id, dumptime: time.toISOString(), updated: time.toISOString(), node };
}

/** The record that some JSON is, or undefined. What an earlier build did not know is null; fields of a later one stay. */
export function recordFrom(json: unknown): DumpRecord | undefined {
  const record = RECORD.read(json, false);
  return record === OTHER ? undefined : record;
}

/** What of a record leaves the node. The same record gives the same bytes every time. */
export const foundIn = (record: DumpRecord): object => ({
  ...picked(FOUND.fields, record),
  core: picked(MEASURED.fields, record.core),
});

const picked = <K extends string>(
  fields: Readonly<Record<K, unknown>>,
  from: Readonly<Record<NoInfer<K>, unknown>>,
): object => Object.fromEntries(Object.keys(fields).map((name) => [name, from[name as K]]));

/**
 * Whether the process was an ordinary one, whose memory its own user may read: the kernel's dump mode (prctl(2),
 * PR_SET_DUMPABLE) is known and 1. What is not known is never taken for ordinary (CVE-2022-4415).
 */
export const isOrdinary = ({ dumpable }: Pick<DumpRecord, "dumpable">): boolean => dumpable === 1;

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
  | "not-elf"; // the stream is not an ELF core: nothing to expect
