/** What is to be delivered, where, and as whose: all that the delivering process gets. Pure. */
import { CLAIM_MOUNT_PATH, type ClaimPod, claimMountOf } from "../../domain/claim.ts";
import type { DeliveryReason, DumpRecord } from "../../domain/dump.ts";
import { shortId } from "../../domain/id.ts";
import { printable } from "../../domain/text.ts";

/** Ids as the kernel knows them, in the initial user namespace. */
export interface Ids {
  readonly uid: number;
  readonly gid: number;
  /** The process's other groups: a volume may be open to one of them only (fsGroup). */
  readonly groups: readonly number[];
}

export interface DeliveryJob {
  /** The core in the cache. */
  readonly core: string;
  readonly coreBytes: number;
  /** The file's name in the container's directory of the claim. */
  readonly name: string;
  readonly mount: KubeletMount;
  readonly ids: Ids;
  /** `hostUsers: false`: the volume stores the container's ids, not the kernel's. */
  readonly mapped: boolean;
}

/**
 * Where the kubelet has mounted a container's sub path: `<root>/pods/<uid>/volume-subpaths/<volume>/<container>/<index>`.
 * Its word for the volume is the PersistentVolume's name, which the pod does not say; container and index tell enough.
 */
export interface KubeletMount {
  readonly kubeletRoot: string;
  readonly podUid: string;
  readonly container: string;
  /** Of the mount among the container's volumeMounts. */
  readonly index: number;
}

export type DeliveryOutcome =
  | { readonly reason: "Delivered"; readonly message: string }
  | {
      readonly reason: Exclude<DeliveryReason, "Delivered">;
      readonly message: string;
      /** Whether the same may succeed later. */
      readonly mayPass: boolean;
    };

/** Why it cannot be delivered, as a process tells it to itself. */
export class Undeliverable extends Error {
  readonly outcome: Exclude<DeliveryOutcome, { readonly reason: "Delivered" }>;
  constructor(reason: Exclude<DeliveryReason, "Delivered">, message: string, mayPass = false) {
    super(message);
    this.outcome = { reason, message, mayPass };
  }
}

const EXECUTABLE_LENGTH = 64;

/** `core_<executable>_<time>_<short id>`: safe in any shell, in the order of time, and no other dump's. */
export function deliveredName({
  executable,
  dumptime,
  id,
}: Pick<DumpRecord, "executable" | "dumptime" | "id">): string {
  const what = printable(executable)
    .replace(/[^A-Za-z0-9.-]/gu, "_")
    .slice(0, EXECUTABLE_LENGTH);
  return `core_${what || "unknown"}_${dumptime.replace(/[^0-9TZ]/g, "")}_${shortId(id)}`;
}

/** The place that the pod's spec promises. @throws Undeliverable NotMounted, ReadOnly */
export function mountIn(pod: ClaimPod, podUid: string, container: string, kubeletRoot: string): KubeletMount {
  const found = claimMountOf(pod, container);
  if (!found)
    throw new Undeliverable("NotMounted", `container ${container} has no mount of the claim at ${CLAIM_MOUNT_PATH}`);
  const { index, mount, claim } = found;
  if (mount.readOnly === true)
    throw new Undeliverable("ReadOnly", `container ${container} mounts claim ${claim} read-only`);
  return { kubeletRoot, podUid, container, index };
}
