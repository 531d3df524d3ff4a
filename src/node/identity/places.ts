/** Where engines are on a node. What the settings name comes first; then every known place that exists is asked. */

import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { NodeSettings } from "../../config/options.ts";
import { ifPossible } from "../../domain/failures.ts";

interface RuntimeOptions extends Pick<NodeSettings, "criEndpoint" | "dockerHost"> {
  /** Where the node's root directory is, for an agent in a container. */
  readonly hostRoot?: string | undefined;
}

const CRI_SOCKETS = [
  "/run/containerd/containerd.sock",
  "/run/crio/crio.sock",
  "/run/k3s/containerd/containerd.sock", // k3s, RKE2
  "/run/k0s/containerd.sock",
  "/var/snap/microk8s/common/run/containerd.sock",
  "/run/cri-dockerd.sock",
];
const DOCKER_SOCKETS = ["/run/docker.sock", "/var/run/docker.sock"];
const DOCKER_DATA = ["/var/lib/docker", "/var/snap/docker/common/var-lib-docker"];
/** CRI-O and podman write an OCI configuration to both; the former is gone after a reboot, the latter may be a network disk. */
const CONTAINERS_STORAGE = ["/run/containers/storage", "/var/lib/containers/storage"];

/** `unix:///path`, `unix:/path` or a bare path; undefined when the address is no socket. */
export const socketPath = (address: string): string | undefined => /^(?:unix:(?:\/\/)?)?(\/.*)$/.exec(address)?.[1];

/** CRI sockets to ask. One that was named is asked even when it is absent: then that is the answer. */
export const criSockets = ({ criEndpoint, hostRoot }: RuntimeOptions): string[] =>
  addresses(criEndpoint, CRI_SOCKETS, hostRoot);

/** Docker addresses to ask, likewise. */
export const dockerHosts = ({ dockerHost, hostRoot }: RuntimeOptions): string[] =>
  addresses(dockerHost, DOCKER_SOCKETS, hostRoot);

function addresses(named: string | undefined, known: readonly string[], root = "/"): string[] {
  if (!named) return existing(known, root);
  const socket = socketPath(named);
  return [socket === undefined ? named : join(root, socket)];
}

/** State directories of containerds: each holds `io.containerd.runtime.v2.task/<namespace>/<id>`. */
export function containerdStates({ criEndpoint, dockerHost }: RuntimeOptions): string[] {
  const cri = criEndpoint ? socketPath(criEndpoint) : undefined;
  const docker = dockerHost ? socketPath(dockerHost) : undefined;
  const sockets = cri ? [cri, ...CRI_SOCKETS] : CRI_SOCKETS;
  const directories = docker ? [dirname(docker), "/run"] : ["/run"];
  return [
    // Beside the socket (containerd, k3s), or in a folder of its name (k0s, MicroK8s).
    ...new Set(sockets.flatMap((socket) => [dirname(socket), socket.replace(/\.sock$/, "")])),
    // dockerd's own containerd
    ...new Set(directories.map((directory) => `${directory}/docker/containerd/daemon`)),
  ];
}

export const dockerDataRoots = (): readonly string[] => DOCKER_DATA;
export const containersStorages = (): readonly string[] => CONTAINERS_STORAGE;

/** One address for each socket that exists, however many links lead to it. */
function existing(paths: readonly string[], root: string): string[] {
  return [...new Set(paths.flatMap((path) => ifPossible(() => realpathSync(join(root, path))) ?? []))];
}
