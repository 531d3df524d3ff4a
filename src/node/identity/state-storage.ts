/**
 * CRI-O's and podman's own state: an OCI configuration for each container in containers/storage,
 * `overlay-containers/<id>/userdata/config.json`. CRI-O marks it with its own annotations, podman with `libpod`.
 */
import { existsSync } from "node:fs";
import { DumpError } from "../../domain/failures.ts";
import { at, countAt, parsed, textAt, textsAt } from "./json.ts";
import { CONTAINER_NAME, digestIn, podIn } from "./kubernetes.ts";
import type { ContainerFacts } from "./runtime.ts";
import { readStateFile } from "./state-file.ts";

const DRIVERS = ["overlay", "vfs", "btrfs"];

/**
 * A container in one storage (`/var/lib/containers/storage`).
 * @returns undefined when there is none of that id
 * @throws DumpError as readStateFile()
 */
export function storageContainer(storage: string, id: string): ContainerFacts | undefined {
  for (const driver of DRIVERS) {
    const folder = `${storage}/${driver}-containers`;
    const path = `${folder}/${id}/userdata/config.json`;
    const config = existsSync(path) ? readStateFile(path) : undefined;
    if (config === undefined) continue;
    const cgroupPath = textAt(config, "linux", "cgroupsPath");
    if (cgroupPath === null) throw new DumpError("RUNTIME_ANSWER_INVALID", `Cannot use ${path}: it names no cgroup`);
    const podman = textAt(config, "annotations", "io.container.manager") === "libpod";
    return podman ? podmanFacts(folder, id, cgroupPath) : crioFacts(config, folder, id, cgroupPath);
  }
  return undefined;
}

const crio = (config: unknown) => (name: string) => textAt(config, "annotations", `io.kubernetes.cri-o.${name}`);

/**
 * Names come from `Labels`, which CRI-O writes itself after the annotations that a pod or an image brings along. The
 * pod's own labels are those of its sandbox, which is a container with such a file too.
 */
function crioFacts(config: unknown, folder: string, id: string, cgroupPath: string): ContainerFacts {
  const own = crio(config);
  const labels = textsAt(parsed(own("Labels")));
  const sandbox = readSandbox(folder, own("SandboxID"));
  const pod = podIn(labels);
  const image = own("ImageName") ?? own("Image");
  return {
    owner: pod ? "pod" : "container",
    container: {
      runtime: "cri-o",
      id,
      name: textAt(labels, CONTAINER_NAME),
      image,
      imageDigest: digestIn(own("ImageRef")) ?? digestIn(image),
      attempt: own("ContainerType") === "container" ? countAt(parsed(own("Metadata")), "attempt") : null,
    },
    pod,
    labels: sandbox && { ...labels, ...sandbox },
    logPath: own("LogPath"),
    documents: { container: { annotations: textsAt(config, "annotations") } },
    cgroupPath,
  };
}

function readSandbox(folder: string, id: string | null): Record<string, string> | null {
  if (id === null || !/^[0-9a-f]{64}$/.test(id)) return null;
  return textsAt(parsed(crio(readStateFile(`${folder}/${id}/userdata/config.json`))("Labels")));
}

/** podman keeps names and images in the storage's list of containers, labels in its database. */
function podmanFacts(folder: string, id: string, cgroupPath: string): ContainerFacts {
  const list = readStateFile(`${folder}/containers.json`);
  const entry = (Array.isArray(list) ? list : []).find((each) => textAt(each, "id") === id);
  const metadata = parsed(textAt(entry, "metadata"));
  return {
    owner: "container",
    container: {
      runtime: "podman",
      id,
      name: textAt(at(entry, "names"), "0"),
      image: textAt(metadata, "image-name"),
      imageDigest: digestIn(textAt(entry, "image")),
      attempt: null,
    },
    pod: null,
    labels: null,
    logPath: null,
    documents: {},
    cgroupPath,
  };
}
