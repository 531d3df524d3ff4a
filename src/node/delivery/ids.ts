/** Whose the file is to be, as the volume stores it. */
import { errnoOf } from "../../domain/failures.ts";
import { readSmall } from "../../system/small-file.ts";
import { type DeliveryJob, type Ids, Undeliverable } from "./job.ts";

interface IdMapping {
  readonly hostId: number;
  readonly containerId: number;
  readonly length: number;
}

/**
 * A pod with a user namespace of its own has its volumes mounted with mapped ids: the container's user 1000, whom the
 * kernel knows as 66536, finds there what is stored as 1000's. The mapping is the kubelet's (pods/<uid>/userns,
 * Kubernetes 1.25): the process's own /proc/P/uid_map may be of a namespace that it made for itself.
 * @throws Undeliverable OwnerUnknown
 */
export function storedIds({ ids, mapped, mount }: Pick<DeliveryJob, "ids" | "mapped" | "mount">): Ids {
  if (!mapped) return ids;
  const { uidMappings, gidMappings } = mappingsOf(`${mount.kubeletRoot}/pods/${mount.podUid}/userns`);
  const [uid, gid] = [inside(uidMappings, ids.uid), inside(gidMappings, ids.gid)];
  if (uid === undefined || gid === undefined)
    throw new Undeliverable("OwnerUnknown", `ids ${ids.uid}:${ids.gid} are none of the pod's user namespace`);
  return { uid, gid, groups: ids.groups.flatMap((group) => inside(gidMappings, group) ?? []) };
}

function inside(mappings: readonly IdMapping[], id: number): number | undefined {
  const found = mappings.find(({ hostId, length }) => id >= hostId && id < hostId + length);
  return found && found.containerId + id - found.hostId;
}

function mappingsOf(path: string): Record<"uidMappings" | "gidMappings", readonly IdMapping[]> {
  try {
    const { uidMappings, gidMappings } = JSON.parse(readSmall(path).toString("utf8"));
    return { uidMappings: checked(uidMappings), gidMappings: checked(gidMappings) };
  } catch (error) {
    const why = errnoOf(error) ?? "it is of another shape";
    throw new Undeliverable("OwnerUnknown", `Cannot read the pod's user namespace from ${path}: ${why}`);
  }
}

function checked(mappings: unknown): readonly IdMapping[] {
  const isMapping = (each: Partial<IdMapping> | null) =>
    [each?.hostId, each?.containerId, each?.length].every((id) => Number.isSafeInteger(id) && Number(id) >= 0);
  if (!Array.isArray(mappings) || !mappings.every(isMapping)) throw new Error("no mappings");
  return mappings;
}
