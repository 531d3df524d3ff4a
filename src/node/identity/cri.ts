/** Containers as a CRI run-time knows them: containerd, CRI-O, and Docker behind cri-dockerd. */
import { CriClient } from "./cri-client.ts";
import { at, countAt, parsed, textAt, textsAt } from "./json.ts";
import { digestIn, podIn } from "./kubernetes.ts";
import type { ContainerFacts, ContainerRuntime } from "./runtime.ts";

export class CriRuntime implements ContainerRuntime {
  readonly source = "cri";
  readonly address: string;

  /** @param socket path of the run-time's unix socket */
  constructor(socket: string) {
    this.address = socket;
  }

  async inspect(id: string, signal: AbortSignal): Promise<ContainerFacts | undefined> {
    using client = await CriClient.connect(this.address, signal);
    const ask = (method: string, request: object): Promise<unknown> => client.call(method, request, signal);
    const [version, container] = await Promise.all([
      ask("Version", {}),
      ask("ContainerStatus", { containerId: id, verbose: true }),
    ]);
    const runtime = textAt(version, "runtimeName") ?? "unknown";
    if (container === undefined) return await sandboxItself(id, runtime, ask);
    const status = at(container, "status");
    const [sandbox, image] = await Promise.all([
      sandboxOf(container, id, ask),
      ask("ImageStatus", { image: { image: textAt(status, "imageRef") ?? textAt(status, "image", "image") ?? "" } }),
    ]);
    return containerFacts(id, runtime, { container, sandbox: at(sandbox, "status"), image: at(image, "image") });
  }
}

type Ask = (method: string, request: object) => Promise<unknown>;

/** The run-time names a container's sandbox only in `info`, and cri-dockerd not even there. */
async function sandboxOf(container: unknown, id: string, ask: Ask): Promise<unknown> {
  const stated = textAt(infoOf(container), "sandboxID");
  const listed =
    stated ?? textAt(at(await ask("ListContainers", { filter: { id } }), "containers", "0"), "podSandboxId");
  return listed === null ? undefined : await ask("PodSandboxStatus", { podSandboxId: listed });
}

/** The pod's first process is not a container of the CRI: its id is the sandbox's. */
async function sandboxItself(id: string, runtime: string, ask: Ask): Promise<ContainerFacts | undefined> {
  const answer = await ask("PodSandboxStatus", { podSandboxId: id, verbose: true });
  const sandbox = at(answer, "status");
  const pod = podOf(sandbox);
  if (!pod) return undefined;
  return {
    owner: "pod",
    container: { runtime, id, name: null, image: null, imageDigest: null, attempt: null },
    pod,
    labels: textsAt(sandbox, "labels"),
    logPath: null,
    documents: { pod: sandbox },
    cgroupPath: cgroupIn(answer),
  };
}

interface CriAnswers {
  readonly container: unknown;
  readonly sandbox: unknown;
  readonly image: unknown;
}

function containerFacts(id: string, runtime: string, { container, sandbox, image }: CriAnswers): ContainerFacts {
  const status = at(container, "status");
  const labels = textsAt(status, "labels");
  const pod = podOf(sandbox) ?? podIn(labels);
  const reference = textAt(status, "imageRef");
  return {
    owner: pod ? "pod" : "container",
    container: {
      runtime,
      id,
      name: textAt(status, "metadata", "name"),
      image: textAt(status, "image", "userSpecifiedImage") ?? textAt(status, "image", "image"),
      imageDigest: digestIn(textAt(image, "repoDigests", "0")) ?? digestIn(reference) ?? digestIn(textAt(image, "id")),
      attempt: countAt(status, "metadata", "attempt"),
    },
    pod,
    // Without the sandbox's labels it is not known whether the pod's owner opted out.
    labels: sandbox === undefined ? null : { ...labels, ...textsAt(sandbox, "labels") },
    logPath: textAt(status, "logPath"),
    documents: { container: status, pod: sandbox, image },
    cgroupPath: cgroupIn(container),
  };
}

function podOf(sandbox: unknown): ContainerFacts["pod"] {
  const [namespace, name, uid] = ["namespace", "name", "uid"].map((key) => textAt(sandbox, "metadata", key));
  return namespace && name && uid ? { namespace, name, uid } : null;
}

/** `info` is the run-time's own: containerd and CRI-O put the OCI configuration there. */
const infoOf = (answer: unknown): unknown => parsed(textAt(answer, "info", "info"));
const cgroupIn = (answer: unknown): string | null => textAt(infoOf(answer), "runtimeSpec", "linux", "cgroupsPath");
