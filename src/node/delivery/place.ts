/** The container's directory of the claim, by the mount that the kubelet made of it on the node. */
import { closeSync, constants, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import { errnoOf } from "../../domain/failures.ts";
import { openBeneath } from "../../system/ffi.ts";
import { statusField } from "../../system/proc.ts";
import { type KubeletMount, Undeliverable } from "./job.ts";

/** As Kubernetes makes uids and containers' names: no dots, no slashes. */
const NAME = /^[A-Za-z0-9]([A-Za-z0-9-]{0,252}[A-Za-z0-9])?$/;

/**
 * Opens it as a path only (O_PATH): the volume may not let root read it. What leads there is the node's own; a link on
 * the way would be made by others, and none is followed but in the administrator's own path of the kubelet's root.
 * While it is open the kubelet cannot unmount it, and tries again.
 * @throws Undeliverable NotMounted
 */
export function openPlace({ kubeletRoot, podUid, container, index }: KubeletMount): number {
  if (![podUid, container].every((name) => NAME.test(name)) || !Number.isSafeInteger(index) || index < 0)
    throw new Undeliverable("NotMounted", "the pod's names are none of Kubernetes'");
  const folder = `pods/${podUid}/volume-subpaths`;
  const where = `${kubeletRoot}/${folder}/*/${container}/${index}`;
  try {
    using root = open(rootOf(kubeletRoot));
    using subPaths = open(openBeneath(root.fd, folder));
    for (const volume of readdirSync(`/proc/self/fd/${subPaths.fd}`)) {
      const place = mounted(subPaths.fd, `${volume}/${container}`, `${index}`);
      if (place !== undefined) return place; // an index is one volume's
    }
  } catch (error) {
    const errno = errnoOf(error);
    if (!errno) throw error;
    if (errno !== "ENOENT") throw new Undeliverable("NotMounted", `Cannot open ${where}: ${errno}`);
  }
  throw new Undeliverable("NotMounted", `nothing is mounted at ${where} (any more)`);
}

/** Undefined where it is a directory of the node's own disk only: the kubelet has unmounted, or not mounted yet. */
function mounted(subPaths: number, folder: string, name: string): number | undefined {
  try {
    using parent = open(openBeneath(subPaths, folder));
    const place = openBeneath(parent.fd, name);
    if (mountOf(place) !== mountOf(parent.fd)) return place;
    closeSync(place);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error; // another volume's
  }
  return undefined;
}

const open = (fd: number) => ({ fd, [Symbol.dispose]: () => closeSync(fd) });

function rootOf(kubeletRoot: string): number {
  const isRoot = statSync(`${kubeletRoot}/pods`, { throwIfNoEntry: false })?.isDirectory();
  if (!isRoot)
    throw new Undeliverable(
      "NotMounted",
      `${kubeletRoot} holds no pods: is it the kubelet's --root-dir, and mounted here?`,
    );
  return openSync(kubeletRoot, constants.O_RDONLY | constants.O_DIRECTORY);
}

/** The mount that a descriptor is on (proc_pid_fdinfo(5)). */
const mountOf = (fd: number): string | undefined => statusField(readFileSync(`/proc/self/fdinfo/${fd}`), "mnt_id");
