/** A CRI client that makes pods, as a kubelet would. */
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, credentials, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { ROOT } from "./paths.ts";

export interface PodSpec {
  pod?: string;
  namespace?: string;
  podUid?: string;
  podLabels?: Record<string, string>;
  podAnnotations?: Record<string, string>;
  hostPid?: boolean;
  hostNetwork?: boolean;
  /** `<uid>` stands for the pod's uid; default `/kubepods/besteffort/pod<uid>`. In a slice its `-` become `_`. */
  cgroupParent?: string;
}

export interface ContainerSpec {
  container?: string;
  attempt?: number;
  image?: string;
  command?: readonly string[];
  uid?: number;
  labels?: Record<string, string>;
  memoryBytes?: number;
  /** Host path by container path. */
  mounts?: Record<string, string>;
}

export interface Pod {
  readonly id: string;
  readonly uid: string;
  readonly config: Message;
}

// biome-ignore lint/suspicious/noExplicitAny: messages are described by cri-test.proto, at run time
type Message = any;
type Call = (
  request: object,
  options: { deadline: number },
  done: (error: Error | null, answer: Message) => void,
) => void;

const IMAGE = "localhost/testbed:1";
const definition = loadSync(join(ROOT, "test/testbed/cri-test.proto"), {
  longs: Number,
  enums: String,
  defaults: true,
});

export class Cri implements Disposable {
  readonly #socket: string;
  readonly #runtime: Client;
  readonly #images: Client;

  constructor(socket: string) {
    this.#socket = socket;
    const v1 = (loadPackageDefinition(definition) as Message).runtime.v1;
    const connect = (service: ServiceClientConstructor): Client =>
      // Go's server refuses the authority that gRPC makes of a socket's path.
      new service(`unix://${socket}`, credentials.createInsecure(), { "grpc.default_authority": "localhost" });
    this.#runtime = connect(v1.RuntimeService);
    this.#images = connect(v1.ImageService);
  }

  /** One call of the runtime service by its name; fields in camel case. */
  call(method: string, request: object = {}): Promise<Message> {
    return unary(this.#runtime, method, request);
  }

  /** Resolves when pods can be run: the network plugin is read some time after the socket answers. */
  async ready(): Promise<void> {
    const end = performance.now() + 30_000;
    for (;;) {
      const { conditions } = (await this.call("Status")).status;
      if (conditions.some((it: Message) => it.type === "NetworkReady" && it.status)) return;
      if (performance.now() > end) throw new Error(`No network for pods: ${JSON.stringify(conditions)}`);
      await sleep(20);
    }
  }

  /** Id, tags and digests of an image; undefined when the engine has none of that name. */
  async image(image = IMAGE): Promise<{ id: string; repoTags: string[]; repoDigests: string[] } | undefined> {
    return (await unary(this.#images, "ImageStatus", { image: { image } })).image ?? undefined;
  }

  async runPod(spec: PodSpec = {}): Promise<Pod> {
    const uid = spec.podUid ?? randomUUID();
    const config = podConfig(spec, uid, this.#logFolder(uid));
    const { podSandboxId } = await this.call("RunPodSandbox", { config });
    return { id: podSandboxId, uid, config };
  }

  /** Makes and starts a container in the pod. @returns its id */
  async runContainer(pod: Pod, spec: ContainerSpec = {}): Promise<string> {
    const name = spec.container ?? "app";
    mkdirSync(join(this.#logFolder(pod.uid), name), { recursive: true });
    const config = containerConfig(pod, name, spec);
    const { containerId } = await this.call("CreateContainer", {
      podSandboxId: pod.id,
      config,
      sandboxConfig: pod.config,
    });
    await this.call("StartContainer", { containerId });
    return containerId;
  }

  /** Waits for the container's end. */
  async exit(containerId: string): Promise<{ exitCode: number; reason: string }> {
    for (;;) {
      const { status } = await this.call("ContainerStatus", { containerId });
      if (status.state === "CONTAINER_EXITED") return { exitCode: status.exitCode, reason: status.reason };
      await sleep(20);
    }
  }

  /** What the container's process wrote, in the CRI's log format. */
  log(pod: Pod, container = "app", attempt = 0): string {
    return readFileSync(join(this.#logFolder(pod.uid), container, `${attempt}.log`), "utf8");
  }

  async removePod(pod: Pod): Promise<void> {
    await this.call("StopPodSandbox", { podSandboxId: pod.id });
    await this.call("RemovePodSandbox", { podSandboxId: pod.id });
  }

  [Symbol.dispose](): void {
    this.#runtime.close();
    this.#images.close();
  }

  #logFolder(podUid: string): string {
    return join(dirname(this.#socket), "../log", podUid);
  }
}

function unary(client: Client, method: string, request: object): Promise<Message> {
  const call = ((client as unknown as Record<string, Call>)[method] as Call).bind(client);
  return new Promise((resolve, reject) =>
    call(request, { deadline: Date.now() + 60_000 }, (error, answer) =>
      error ? reject(new Error(`${method}: ${error.message}`)) : resolve(answer),
    ),
  );
}

function kubernetesLabels(name: string, namespace: string, uid: string): Record<string, string> {
  return { "io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": namespace, "io.kubernetes.pod.uid": uid };
}

function podConfig(spec: PodSpec, uid: string, logDirectory: string): Message {
  const { pod: name = "web-0", namespace = "shop", hostNetwork = true } = spec;
  const parent = spec.cgroupParent ?? "/kubepods/besteffort/pod<uid>";
  mkdirSync(logDirectory, { recursive: true });
  return {
    metadata: { name, uid, namespace, attempt: 0 },
    hostname: hostNetwork ? "" : name,
    logDirectory,
    labels: { ...spec.podLabels, ...kubernetesLabels(name, namespace, uid) },
    annotations: { "kubernetes.io/config.source": "api", ...spec.podAnnotations },
    linux: {
      cgroupParent: parent.replaceAll("<uid>", parent.includes(".slice") ? uid.replaceAll("-", "_") : uid),
      securityContext: { namespaceOptions: namespaces(spec.hostPid ?? false, hostNetwork) },
    },
  };
}

const namespaces = (hostPid: boolean, hostNetwork: boolean): Message => ({
  network: hostNetwork ? "NODE" : "POD",
  pid: hostPid ? "NODE" : "CONTAINER",
  ipc: "POD",
});

function containerConfig(pod: Pod, name: string, spec: ContainerSpec): Message {
  const { image = IMAGE, attempt = 0 } = spec;
  const { metadata, linux } = pod.config;
  return {
    metadata: { name, attempt },
    image: { image, userSpecifiedImage: image },
    command: spec.command ?? ["/bin/crash"],
    mounts: Object.entries(spec.mounts ?? {}).map(([containerPath, hostPath]) => ({ containerPath, hostPath })),
    labels: {
      ...spec.labels,
      ...kubernetesLabels(metadata.name, metadata.namespace, pod.uid),
      "io.kubernetes.container.name": name,
    },
    annotations: { "io.kubernetes.container.restartCount": `${attempt}` },
    logPath: `${name}/${attempt}.log`,
    linux: {
      resources: { cpuShares: 2, oomScoreAdj: 1000, memoryLimitInBytes: spec.memoryBytes ?? 0 },
      securityContext: {
        namespaceOptions: linux.securityContext.namespaceOptions,
        runAsUser: { value: spec.uid ?? 0 },
      },
    },
  };
}
