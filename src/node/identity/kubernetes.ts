/** The words by which a kubelet marks what it starts. */
import type { DumpPod } from "../../domain/dump.ts";
import { textAt } from "./json.ts";

export const CONTAINER_NAME = "io.kubernetes.container.name";
export const RESTART_COUNT = "io.kubernetes.container.restartCount";

/** A pod in labels of the kubelet; null when they do not name one. */
export function podIn(labels: unknown): DumpPod | null {
  const namespace = textAt(labels, "io.kubernetes.pod.namespace");
  const name = textAt(labels, "io.kubernetes.pod.name");
  const uid = textAt(labels, "io.kubernetes.pod.uid");
  return namespace && name && uid ? { namespace, name, uid } : null;
}

/** Whether a path lies where kubelets put pods: Docker's labels count only there, because anyone can set them. */
export const isKubepods = (cgroupPath: string): boolean => /(^|[/-])kubepods[/.-]/.test(cgroupPath);

/** The digest in `repository@sha256:…` or of an image id, with or without its `sha256:` (CRI-O, podman); null when there is none. */
export function digestIn(reference: string | null): string | null {
  const digest = /(?:^|@sha256:|^sha256:)([0-9a-f]{64})$/.exec(reference ?? "")?.[1];
  return digest === undefined ? null : `sha256:${digest}`;
}
