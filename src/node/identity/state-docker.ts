/** Docker's own state: `<data-root>/containers/<id>/config.v2.json`, written by dockerd alone. */

import { readdirSync } from "node:fs";
import { ifPossible } from "../../domain/failures.ts";
import { at, countAt, textAt, textsAt } from "./json.ts";
import { CONTAINER_NAME, digestIn, isKubepods, podIn, RESTART_COUNT } from "./kubernetes.ts";
import type { ContainerFacts } from "./runtime.ts";
import { readStateFile } from "./state-file.ts";

/** The data root in the path of a container's root file system, below which every storage driver has a folder. */
export const dataRootOf = (rootfs: string | null): string | undefined =>
  /^(\/.+?)\/(?:overlay2?|rootfs|vfs|btrfs|zfs|fuse-overlayfs|devicemapper|aufs)\//.exec(rootfs ?? "")?.[1];

/** Where dockerd keeps its data, by its settings. */
export function configuredDataRoot(file = "/etc/docker/daemon.json"): string | null {
  const settings = readStateFile(file);
  return textAt(settings, "data-root") ?? textAt(settings, "graph");
}

/** The parent that it is set to give containers that ask for none; `--cgroup-parent` on its command line is not seen. */
export const configuredCgroupParent = (file = "/etc/docker/daemon.json"): string | null =>
  ifPossible(() => textAt(readStateFile(file), "cgroup-parent")) ?? null; // then its defaults count

/** A container below a data root; with user namespaces remapped the data lie one folder deeper, `<uid>.<gid>`. */
export function dockerContainerIn(dataRoot: string, id: string): ContainerFacts | undefined {
  return (
    dockerContainer(dataRoot, id) ??
    remapped(dataRoot)
      .map((root) => dockerContainer(root, id))
      .find(Boolean)
  );
}

const remapped = (dataRoot: string): string[] =>
  ifPossible(() =>
    readdirSync(dataRoot)
      .filter((name) => /^\d+\.\d+$/.test(name))
      .map((name) => `${dataRoot}/${name}`),
  ) ?? [];

/**
 * @param cgroupPath the container's cgroup where the bundle states it; else it comes from `hostconfig.json`, if at all
 * @returns undefined when Docker has no such container there
 * @throws DumpError as readStateFile()
 */
export function dockerContainer(dataRoot: string, id: string, cgroupPath?: string): ContainerFacts | undefined {
  const configOf = (each: string): unknown => readStateFile(`${dataRoot}/containers/${each}/config.v2.json`);
  const config = configOf(id);
  if (config === undefined || textAt(config, "ID") !== id) return undefined;
  const labels = textsAt(config, "Config", "Labels") ?? {};
  const sandbox = sandboxIn(labels);
  const parent = textAt(readStateFile(`${dataRoot}/containers/${id}/hostconfig.json`), "CgroupParent");
  return dockerFacts({
    id,
    name: textAt(config, "Name"),
    image: textAt(config, "Config", "Image"),
    imageId: textAt(config, "Image"),
    labels,
    sandboxLabels: sandbox === null ? null : textsAt(configOf(sandbox), "Config", "Labels"),
    restartCount: countAt(config, "RestartCount"),
    logPath: textAt(config, "LogPath"),
    cgroupPath: cgroupPath ?? dockerCgroup(parent, id),
    document: withoutSecrets(config),
  });
}

interface DockerAnswer {
  readonly id: string;
  readonly name: string | null;
  readonly image: string | null;
  readonly imageId: string | null;
  readonly labels: Record<string, string>;
  /** Those of the pod's sandbox, which is a container too and has the pod's own labels; null when there is none. */
  readonly sandboxLabels: Record<string, string> | null;
  readonly restartCount: number | null;
  readonly logPath: string | null;
  readonly cgroupPath: string | null;
  readonly document: unknown;
}

/** What Docker knows of a container, from its file or its API: a pod's when a kubelet made it, else Docker's own. */
export function dockerFacts(answer: DockerAnswer): ContainerFacts {
  const { id, image, labels, logPath, cgroupPath } = answer;
  const pod = cgroupPath !== null && isKubepods(cgroupPath) ? podIn(labels) : null;
  const isSandbox = labels["io.kubernetes.docker.type"] === "podsandbox";
  const sandbox = isSandbox ? labels : answer.sandboxLabels;
  return {
    owner: pod ? "pod" : "docker",
    container: {
      runtime: "docker",
      id,
      name: pod ? (isSandbox ? null : textAt(labels, CONTAINER_NAME)) : (answer.name?.replace(/^\//, "") ?? null),
      image,
      imageDigest: digestIn(image) ?? digestIn(answer.imageId),
      attempt: pod ? countAt(labels, `annotation.${RESTART_COUNT}`) : answer.restartCount,
    },
    pod,
    labels: pod ? sandbox && { ...labels, ...sandbox } : labels,
    logPath,
    documents: { container: answer.document },
    cgroupPath,
  };
}

/** The id of the sandbox that a kubelet's label names; null when it is none. Anyone can set it: it counts for pods only. */
export const sandboxIn = (labels: Readonly<Record<string, string>>): string | null =>
  /^[0-9a-f]{64}$/.exec(labels["io.kubernetes.sandbox.id"] ?? "")?.[0] ?? null;

/**
 * The cgroup that dockerd makes below a parent that was asked for: `<parent>/<id>`, or a scope in a slice. Null for its
 * default parent, because that depends on its settings: see `owns()`.
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
