/**
 * containerd's own state: the OCI bundle that it keeps of every running container, with the CRI plugin's annotations.
 * Of a container in Docker's namespace (`moby`) the bundle gives the cgroup, and Docker's files the rest.
 */
import { existsSync, readdirSync } from "node:fs";
import { DumpError } from "../../domain/failures.ts";
import { podUidIn } from "./cgroup.ts";
import { at, textAt, textsAt } from "./json.ts";
import { digestIn } from "./kubernetes.ts";
import type { ContainerFacts } from "./runtime.ts";
import { dataRootOf, dockerContainer } from "./state-docker.ts";
import { readStateFile } from "./state-file.ts";

/** The second is that of containerd before 1.4, as old Dockers bring it. */
const TASKS = ["io.containerd.runtime.v2.task", "io.containerd.runtime.v1.linux"];

/** Annotations of other clients of containerd are their users' own. */
const CRI_NAMESPACE = "k8s.io";

/**
 * A container in one state directory (`/run/containerd`).
 * @returns undefined when there is none of that id
 * @throws DumpError as readStateFile()
 */
export function containerdContainer(state: string, id: string): ContainerFacts | undefined {
  for (const tasks of TASKS.map((name) => `${state}/${name}`).filter((path) => existsSync(path))) {
    for (const namespace of readdirSync(tasks)) {
      const path = `${tasks}/${namespace}/${id}/config.json`;
      const bundle = existsSync(path) ? readStateFile(path) : undefined;
      if (bundle !== undefined) return factsIn(bundle, { path, namespace, id });
    }
  }
  return undefined;
}

function factsIn(
  bundle: unknown,
  { path, namespace, id }: Record<"path" | "namespace" | "id", string>,
): ContainerFacts {
  const cgroupPath = textAt(bundle, "linux", "cgroupsPath");
  if (cgroupPath === null) throw new DumpError("RUNTIME_ANSWER_INVALID", `Cannot use ${path}: it names no cgroup`);
  if (namespace === "moby") return dockerFacts(bundle, id, cgroupPath);
  const annotations = at(bundle, "annotations");
  const image = textAt(annotations, "io.kubernetes.cri.image-name");
  const pod = namespace === CRI_NAMESPACE ? podIn(annotations, cgroupPath) : null;
  const nerdctl = textAt(annotations, "nerdctl/name"); // which copies its labels into the annotations
  return {
    owner: pod ? "pod" : "container",
    container: {
      runtime: "containerd",
      id,
      name: nerdctl ?? textAt(annotations, "io.kubernetes.cri.container-name"),
      image,
      imageDigest: digestIn(image),
      attempt: null,
    },
    pod,
    labels: nerdctl && !pod ? textsAt(annotations) : null, // of a pod the bundle has annotations only
    logPath: null,
    documents: { container: { annotations: textsAt(annotations) } },
    cgroupPath,
  };
}

/** Docker's file is the better source; without it the bundle still proves that it is a container of Docker's. */
function dockerFacts(bundle: unknown, id: string, cgroupPath: string): ContainerFacts {
  const root = dataRootOf(textAt(bundle, "root", "path"));
  const facts = root === undefined ? undefined : dockerContainer(root, id, cgroupPath);
  if (facts) return facts;
  const container = { runtime: "docker", id, name: null, image: null, imageDigest: null, attempt: null };
  return { owner: "docker", container, pod: null, labels: null, logPath: null, documents: {}, cgroupPath };
}

/** The annotation of the uid is newer (containerd 1.6) than those of the names; the cgroup's path always has it. */
function podIn(annotations: unknown, cgroupPath: string): ContainerFacts["pod"] {
  const namespace = textAt(annotations, "io.kubernetes.cri.sandbox-namespace");
  const name = textAt(annotations, "io.kubernetes.cri.sandbox-name");
  const uid = textAt(annotations, "io.kubernetes.cri.sandbox-uid") ?? podUidIn(cgroupPath);
  return namespace && name && uid ? { namespace, name, uid } : null;
}
