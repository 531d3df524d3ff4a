/** Containers as Docker knows them: its own, and the pods' of a kubelet that works through it. */
import { dockerGet } from "./docker-client.ts";
import { at, countAt, textAt, textsAt } from "./json.ts";
import { digestIn } from "./kubernetes.ts";
import type { ContainerFacts, ContainerRuntime } from "./runtime.ts";
import { dockerCgroup, dockerFacts, sandboxIn, withoutSecrets } from "./state-docker.ts";

export class DockerRuntime implements ContainerRuntime {
  readonly source = "docker";
  readonly address: string;

  /** @param host `unix:///path`, `/path` or `tcp://host:port` */
  constructor(host: string) {
    this.address = host;
  }

  async inspect(id: string, signal: AbortSignal): Promise<ContainerFacts | undefined> {
    const ask = (path: string): Promise<unknown> => dockerGet(this.address, path, signal);
    const container = await ask(`/containers/${id}/json`);
    if (textAt(container, "Id") !== id) return undefined;
    const imageId = digestIn(textAt(container, "Image"));
    const labels = textsAt(container, "Config", "Labels") ?? {};
    const sandboxId = sandboxIn(labels);
    const [image, sandbox] = await Promise.all([
      imageId && ask(`/images/${imageId}/json`),
      sandboxId && ask(`/containers/${sandboxId}/json`),
    ]);
    const facts = dockerFacts({
      id,
      name: textAt(container, "Name"),
      image: textAt(container, "Config", "Image"),
      imageId,
      labels,
      sandboxLabels: textsAt(sandbox, "Config", "Labels"),
      restartCount: countAt(container, "RestartCount"),
      logPath: textAt(container, "LogPath"),
      cgroupPath: dockerCgroup(textAt(container, "HostConfig", "CgroupParent"), id),
      document: withoutSecrets(container),
    });
    const imageDigest = digestIn(textAt(at(image, "RepoDigests"), "0")) ?? facts.container.imageDigest;
    return {
      ...facts,
      container: { ...facts.container, imageDigest },
      documents: { ...facts.documents, ...(image ? { image: withoutSecrets(image) } : {}) },
    };
  }
}
