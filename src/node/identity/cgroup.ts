/**
 * Which containers a process's cgroup names. The host name, the environment and the mounts are a container's own words;
 * its cgroup is the kernel's.
 *
 * Names in use (64 hex digits stand for `<id>`), on cgroup v1, v2 and both at once, at any depth below other containers:
 *   /docker/<id>   /kubepods/burstable/pod<uid>/<id>   /kubepods/besteffort/pod<uid>/crio-<id>   /libpod_parent/libpod-<id>
 *   /kubepods.slice/…/kubepods-burstable-pod<uid with _>.slice/cri-containerd-<id>.scope   (docker-, crio-, libpod-, nerdctl-)
 *   …/kubepods-burstable-pod<uid with _>.slice:cri-containerd:<id>    a slice for an engine that does not use systemd
 */
import { textOf } from "../../domain/text.ts";
import type { CgroupCandidate } from "./runtime.ts";

const NAME = /(?:^|[-:])([0-9a-f]{64})(?:\.scope)?$/;
/** conmon, the monitor of CRI-O and podman, has a scope with its container's id: it is a host process all the same. */
const MONITOR = /conmon-[0-9a-f]{64}/;
const POD =
  /(?:^|[-/])pod([0-9a-f]{32}|[0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})(?=[./:]|$)/g;
/** Engines nest two or three deep. A container may nest made-up names below its own cgroup, never above it. */
const MAX_DEPTH = 8;

/**
 * The containers that the file names, those inside others first; over all hierarchies, each pair of id and path once.
 *
 * A name alone proves nothing, because the owner of a delegated cgroup can make up names below it: see `owns()`.
 * @param cgroupFile content of /proc/P/cgroup as seen from the initial cgroup namespace
 */
export function candidatesFrom(cgroupFile: Uint8Array | string): CgroupCandidate[] {
  const found = pathsIn(cgroupFile).flatMap(candidatesIn);
  const depths = new Map<CgroupCandidate, number>(found.map(({ candidate, depth }) => [candidate, depth]));
  return [...depths.keys()].sort((a, b) => (depths.get(b) ?? 0) - (depths.get(a) ?? 0));
}

/** Whether no container's id is in it. False when the file says nothing at all: then it is not known. */
export function namesNoContainer(cgroupFile: Uint8Array | string): boolean {
  return pathsIn(cgroupFile).length > 0 && candidatesFrom(cgroupFile).length === 0;
}

/** The path that systemd gave the process: in its own hierarchy of cgroup v1, in the one of v2; null where neither is there. */
export function unitIn(cgroupFile: Uint8Array | string): string | null {
  const paths = ["name=systemd", ""].map((controllers) => pathsIn(cgroupFile, controllers)[0]);
  return paths.find((path) => path !== undefined && path !== "/") ?? paths.find((path) => path !== undefined) ?? null;
}

/** The one path that tells most: systemd's, else the longest. */
export function ownCgroup(cgroupFile: Uint8Array | string): string | null {
  const unit = unitIn(cgroupFile);
  if (unit !== null && unit !== "/") return unit;
  return pathsIn(cgroupFile).toSorted((a, b) => b.length - a.length)[0] ?? null;
}

/** Whether no other container's id lies above this one in its path. Such a name cannot be a container's invention. */
export const isOutermost = ({ id, path }: CgroupCandidate): boolean => candidatesIn(path)[0]?.candidate.id === id;

/** The distinct paths of the file's lines: `hierarchy:controllers:path` (cgroups(7)); no newline can be in a path. */
function pathsIn(cgroupFile: Uint8Array | string, controllers?: string): string[] {
  const text = typeof cgroupFile === "string" ? cgroupFile : textOf(cgroupFile);
  const paths = text.split("\n").map((line) => {
    const [, of, path] = /^\d+:([^:]*):(\/.*)$/s.exec(line) ?? [];
    return controllers === undefined || of === controllers ? path?.replace(/ \(deleted\)$/, "") : undefined;
  });
  return [...new Set(paths.filter((path) => path !== undefined))];
}

/** Outermost first, with the number of ids above each. */
function candidatesIn(path: string): { candidate: CgroupCandidate; depth: number }[] {
  const found: { candidate: CgroupCandidate; depth: number }[] = [];
  let at = 0;
  for (const name of path.split("/")) {
    const id = MONITOR.test(name) ? undefined : NAME.exec(name)?.[1];
    if (id) {
      const candidate = { id, path, hint: hintOf(name, path.slice(0, at)), podUid: podUidIn(path.slice(0, at) + name) };
      found.push({ candidate, depth: found.length });
    }
    if (found.length === MAX_DEPTH) break;
    at += name.length + 1;
  }
  return found;
}

function hintOf(name: string, above: string): CgroupCandidate["hint"] {
  if (/(?:cri-containerd|nerdctl)[-:][^-:]*$/.test(name)) return "containerd";
  if (/crio[-:][^-:]*$/.test(name)) return "cri-o";
  if (/docker[-:][^-:]*$/.test(name) || above.endsWith("/docker/")) return "docker";
  return /libpod[-:][^-:]*$/.test(name) ? "podman" : null;
}

/** The uid of the innermost pod in a path, or null. A static pod's uid is a hash without dashes and stays so. */
export const podUidIn = (path: string): string | null =>
  [...path.matchAll(POD)].at(-1)?.[1]?.replaceAll("_", "-") ?? null;
