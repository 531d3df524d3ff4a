/** Docker's own state: `<data-root>/containers/<id>/config.v2.json`, written by dockerd alone. */
import { readdirSync } from "node:fs";
import { at, countAt, textAt, textsAt } from "./json.ts";
import { CONTAINER_NAME, digestIn, isKubepods, podIn } from "./kubernetes.ts";
import type { ContainerFacts } from "./runtime.ts";
import { readStateFile } from "./state-file.ts";

/** The data root in the path of a container's root file system, below which every storage driver has a folder. */
export const dataRootOf = (rootfs: string | null): string | undefined =>
  /^(\/.+?)\/(?:overlay2?|rootfs|vfs|btrfs|zfs|fuse-overlayfs|devicemapper|aufs)\//.exec(rootfs ?? "")?.[1];

/** Where dockerd was told to keep its data. */
export function configuredDataRoot(file = "/etc/docker/daemon.json"): string | null {
  const settings = readStateFile(file);
  return textAt(settings, "data-root") ?? textAt(settings, "graph");
}

/** A container below a data root; with user namespaces remapped the data lie one folder deeper, `<uid>.<gid>`. */
export function dockerContainerIn(dataRoot: string, id: string): ContainerFacts | undefined {
  return (
    dockerContainer(dataRoot, id) ??
    remapped(dataRoot)
      .map((root) => dockerContainer(root, id))
      .find(Boolean)
  );
}

function remapped(dataRoot: string): string[] {
  try {
    return readdirSync(dataRoot)
      .filter((name) => /^\d+\.\d+$/.test(name))
      .map((name) => `${dataRoot}/${name}`);
  } catch {
    return [];
  }
}

/**
 * @param cgroupPath the container's cgroup where the bundle states it; else it comes from `hostconfig.json`, if at all
 * @returns undefined when Docker has no such container there
 * @throws DumpError as readStateFile()
 */
export function dockerContainer(dataRoot: string, id: string, cgroupPath?: string): ContainerFacts | undefined {
  const folder = `${dataRoot}/containers/${id}`;
  const config = readStateFile(`${folder}/config.v2.json`);
  if (config === undefined || textAt(config, "ID") !== id) return undefined;
  const path = cgroupPath ?? dockerCgroup(textAt(readStateFile(`${folder}/hostconfig.json`), "CgroupParent"), id);
  return dockerFacts({
    id,
    name: textAt(config, "Name"),
    image: textAt(config, "Config", "Image"),
    imageId: textAt(config, "Image"),
    labels: textsAt(config, "Config", "Labels") ?? {},
    restartCount: countAt(config, "RestartCount"),
    logPath: textAt(config, "LogPath"),
    cgroupPath: path,
    document: withoutSecrets(config),
  });
}

interface DockerAnswer {
  readonly id: string;
  readonly name: string | null;
  readonly image: string | null;
  readonly imageId: string | null;
  readonly labels: Record<string, string>;
  readonly restartCount: number | null;
  readonly logPath: string | null;
  readonly cgroupPath: string | null;
  readonly document: unknown;
}

/** What Docker knows of a container, from its file or its API: a pod's when a kubelet made it, else Docker's own. */
export function dockerFacts(answer: DockerAnswer): ContainerFacts {
  const { id, image, labels, logPath, cgroupPath } = answer;
  const pod = cgroupPath !== null && isKubepods(cgroupPath) ? podIn(labels) : null;
  const attempt = pod ? countAt(labels, "annotation.io.kubernetes.container.restartCount") : answer.restartCount;
  return {
    owner: pod ? "pod" : "docker",
    container: {
      runtime: "docker",
      id,
      name: pod ? textAt(labels, CONTAINER_NAME) : (answer.name?.replace(/^\//, "") ?? null),
      image,
      imageDigest: digestIn(image) ?? digestIn(answer.imageId),
      attempt,
    },
    pod,
    labels,
    logPath,
    documents: { container: answer.document },
    cgroupPath,
  };
}

/**
 * The cgroup that dockerd makes below a parent that was asked for: `<parent>/<id>`, or a scope in a slice. Null for its
 * default parent, because that depends on its settings.
 */
export function dockerCgroup(parent: string | null, id: string): string | null {
  if (parent === null) return null;
  return parent.endsWith(".slice") && !parent.includes("/")
    ? `${parent}:docker:${id}`
    : `${parent.replace(/\/+$/, "")}/${id}`;
}

/** Docker's description without the environment, which holds secrets. */
export function withoutSecrets(description: unknown): unknown {
  const config = at(description, "Config");
  if (typeof config !== "object" || config === null) return description;
  const { Env: _, ...rest } = config as Record<string, unknown>;
  return { ...(description as object), Config: rest };
}
