/**
 * A tenant's own claim: the words that the webhook writes into a pod and by which the agent finds the claim again.
 * Pod objects are the API's own JSON: any field may be missing.
 */
import { createHash } from "node:crypto";
import { posix } from "node:path";

/** On a pod: the claim in its namespace that gets its cores. */
export const CLAIM_ANNOTATION = "coredump.fujitsu.com/pvcname";
/** Where every container finds the directory of its own cores. */
export const CLAIM_MOUNT_PATH = "/var/coredump";

export interface VolumeMount {
  readonly name?: string;
  readonly mountPath?: string;
  readonly subPath?: string;
  readonly subPathExpr?: string;
  readonly readOnly?: boolean;
}

export interface Volume {
  readonly name?: string;
  readonly persistentVolumeClaim?: { readonly claimName?: string; readonly readOnly?: boolean } | null;
}

export interface ClaimContainer {
  readonly name?: string;
  readonly volumeMounts?: readonly VolumeMount[] | null;
  readonly volumeDevices?: readonly { readonly name?: string; readonly devicePath?: string }[] | null;
  readonly env?: readonly EnvVar[] | null;
  readonly command?: readonly string[] | null;
  readonly args?: readonly string[] | null;
}

export interface EnvVar {
  readonly name?: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath?: string } | null } | null;
}

export interface ClaimPod {
  readonly metadata?: {
    readonly name?: string;
    readonly annotations?: Readonly<Record<string, string>> | null;
  } | null;
  readonly spec?: {
    readonly volumes?: readonly Volume[] | null;
    readonly containers?: readonly ClaimContainer[] | null;
    readonly initContainers?: readonly ClaimContainer[] | null;
    readonly nodeSelector?: Readonly<Record<string, string>> | null;
  } | null;
}

/** The claim that the pod's cores go to; undefined when it names none. */
export function claimOf(pod: ClaimPod): string | undefined {
  const claim = pod.metadata?.annotations?.[CLAIM_ANNOTATION];
  return typeof claim === "string" && claim !== "" ? claim : undefined;
}

export const isVolumeOf = (claim: string, volume: Volume): boolean => volume.persistentVolumeClaim?.claimName === claim;

const PATH_MAX = 4096;

/** Where a mount lies, however it is spelt. The kubelet takes a relative path from the root, too. */
export function placeOf(path: string): "at" | "below" | "elsewhere" {
  if (path.length > PATH_MAX) return "elsewhere"; // nothing can be mounted there (path_resolution(7))
  const plain = posix.join("/", path, "/");
  if (plain === `${CLAIM_MOUNT_PATH}/`) return "at";
  return plain.startsWith(`${CLAIM_MOUNT_PATH}/`) ? "below" : "elsewhere";
}

const LABEL_LENGTH = 63;
const HASH_DIGITS = 12;
const PREFIX = "coredump-";

/**
 * The volume's name for a claim: always the same one, and a DNS label, which a claim's name need not be (dots, 253
 * characters). Only where the pod has another volume of that name does a number follow.
 * @param taken  names of the pod's other volumes
 */
export function volumeNameFor(claim: string, taken: readonly (string | undefined)[] = []): string {
  const isLabel = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(claim) && PREFIX.length + claim.length <= LABEL_LENGTH;
  const name = PREFIX + (isLabel ? claim : hashed(claim, LABEL_LENGTH - PREFIX.length));
  const free = (number: number) => `${name.slice(0, LABEL_LENGTH - 4)}-${number}`;
  const known = new Set(taken);
  for (let number = 2, next = name; ; next = free(number++)) if (!known.has(next)) return next;
}

/** What can be kept of the name, for readers, and what distinguishes it from others. */
function hashed(claim: string, length: number): string {
  const digits = createHash("sha256").update(claim).digest("hex").slice(0, HASH_DIGITS);
  const plain = claim
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-/, "");
  return `${plain.slice(0, length - HASH_DIGITS - 1)}-${digits}`.replace(/^-|-(?=-)/g, "");
}

interface ClaimMount {
  readonly claim: string;
  /** The volume's name in the pod. */
  readonly volume: string;
  /** Of the mount among the container's volumeMounts: the kubelet's `volume-subpaths/<volume>/<container>/<index>`. */
  readonly index: number;
  readonly mount: VolumeMount;
}

/** Where a container (or init container) of a pod has its directory of the claim; undefined when it has none. */
export function claimMountOf(pod: ClaimPod, container: string): ClaimMount | undefined {
  const claim = claimOf(pod);
  if (claim === undefined) return undefined;
  const volumes = (pod.spec?.volumes ?? []).filter((volume) => isVolumeOf(claim, volume)).map(({ name }) => name);
  const mounts = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].find(
    ({ name }) => name === container,
  )?.volumeMounts;
  const index = (mounts ?? []).findIndex(
    ({ name, mountPath = "", subPath, subPathExpr }) =>
      volumes.includes(name) && placeOf(mountPath) === "at" && Boolean(subPath || subPathExpr),
  );
  const mount = mounts?.[index];
  return mount && { claim, volume: mount.name ?? "", index, mount };
}
