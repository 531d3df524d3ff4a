/**
 * Whether a container that a run-time knows is the one a cgroup names: its own path, as the run-time states it, must be
 * the path seen or one above it (systemd in a container, delegation). Without this check a container could file its
 * dumps under any other whose id it has learnt, by making a cgroup of that name below its own.
 */
import { isOutermost } from "./cgroup.ts";
import { isKubepods } from "./kubernetes.ts";
import type { CgroupCandidate, ContainerFacts } from "./runtime.ts";
import { configuredCgroupParent, dockerCgroup } from "./state-docker.ts";

/** Whether `facts` may be believed of the process that `candidate` was found for. */
export function owns(facts: Pick<ContainerFacts, "cgroupPath" | "pod">, candidate: CgroupCandidate): boolean {
  if (facts.pod && candidate.podUid && facts.pod.uid !== candidate.podUid) return false;
  if (facts.cgroupPath !== null) return matches(facts.cgroupPath, candidate);
  if (!isOutermost(candidate)) return false;
  if (facts.pod) return facts.pod.uid === candidate.podUid && isKubelets(candidate.path);
  return defaultPaths(candidate.id).some((path) => isAtOrBelow(candidate.path, path));
}

/** Below the kubelet's root for pods, which is in no user's session and below no service: those may be delegated. */
const isKubelets = (path: string): boolean =>
  isKubepods(path) && !/^\/user(\.slice)?\/|\.service\/.*kubepods/.test(path);

/**
 * Where dockerd puts a container for which no parent was asked for, and so states none: below `/docker` with cgroupfs, in
 * system.slice with systemd (moby: daemon/daemon_unix.go), or where its own settings say. No other place counts, because
 * wherever a part of the hierarchy is delegated (user@.service, Delegate=), users make names too.
 */
function defaultPaths(id: string): string[] {
  const parent = configuredCgroupParent();
  return [`/docker/${id}`, `/system.slice/docker-${id}.scope`, ...(parent === null ? [] : pathsBelow(parent, id))];
}

const pathsBelow = (parent: string, id: string): string[] => {
  const stated = dockerCgroup(parent.startsWith("/") || parent.endsWith(".slice") ? parent : `/${parent}`, id) ?? "";
  return [scopePath(stated) ?? stated];
};

/** Why such an answer is not believed, in words. */
export const notItsOwn = ({ cgroupPath, pod }: Parameters<typeof owns>[0], { id, path }: CgroupCandidate): string =>
  `${path.slice(-200)} names container ${id.slice(0, 12)}, whose own cgroup is another one (${cgroupPath ?? pod?.uid ?? "not stated"})`;

/**
 * `stated` is `linux.cgroupsPath` of the OCI configuration, in one of its three forms:
 * an absolute path; `slice:prefix:name` for systemd; or relative (the former without systemd), below the engine's own cgroup.
 */
function matches(stated: string, candidate: CgroupCandidate): boolean {
  if (!stated.includes(candidate.id)) return false;
  if (stated.startsWith("/")) return isAtOrBelow(candidate.path, stated);
  const scope = scopePath(stated);
  if (scope !== undefined && isAtOrBelow(candidate.path, scope)) return true;
  const at = `${candidate.path}/`.indexOf(`/${stated}/`);
  return at >= 0 && isEngines(candidate.path.slice(0, at), candidate);
}

const isAtOrBelow = (path: string, ancestor: string): boolean => `${path}/`.startsWith(ancestor.replace(/\/*$/, "/"));

/** Where an engine's own cgroup may be: not in a container, not in a user's session (where users make names). */
function isEngines(above: string, candidate: CgroupCandidate): boolean {
  return isOutermost(candidate) && !/^\/user(\.slice)?(\/|$)/.test(above);
}

/** The path that systemd makes of `slice:prefix:name`: a slice `a-b.slice` lies in `a.slice` (systemd.slice(5)). */
function scopePath(stated: string): string | undefined {
  const [slice, prefix, name, ...rest] = stated.split(":");
  if (slice === undefined || prefix === undefined || !name || rest.length > 0) return undefined;
  const parts = (slice || "system.slice").replace(/\.slice$/, "").split("-");
  const slices = slice === "-.slice" ? [] : parts.map((_, at) => `/${parts.slice(0, at + 1).join("-")}.slice`);
  return `${slices.join("")}/${prefix ? `${prefix}-` : ""}${name}.scope`;
}
