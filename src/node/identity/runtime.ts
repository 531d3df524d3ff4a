/** What identification needs of a container engine (a port), and what it gets. */
import type { DumpContainer, DumpIdentity, DumpPod, OwnerKind } from "../../domain/dump.ts";

/** A container that the crashed process's cgroup names, innermost first. */
export interface CgroupCandidate {
  /** 64 hex digits. */
  readonly id: string;
  /** The whole cgroup path it was found in. */
  readonly path: string;
  /** What the name says of the engine (`cri-containerd-…`, `crio-…`, `docker-…`, `libpod-…`); a hint only. */
  readonly hint: "containerd" | "cri-o" | "docker" | "podman" | null;
  /** Pod uid as the path states it (dashes restored), or null. */
  readonly podUid: string | null;
}

/** What is known of a crashed process's owner; the part of the record that identification fills in. */
export interface Identification {
  readonly owner: OwnerKind;
  readonly container: DumpContainer | null;
  readonly pod: DumpPod | null;
  readonly identity: DumpIdentity;
  /** Labels of the container and its pod sandbox (sandbox wins), for opting out; null when that is not known. */
  readonly labels: Readonly<Record<string, string>> | null;
  /** Host path of the crashed attempt's log file, as the run-time states it. */
  readonly logPath: string | null;
  /** The run-time's own answers, kept beside the core as pod.json, container.json, image.json. */
  readonly documents: { readonly pod?: unknown; readonly container?: unknown; readonly image?: unknown };
}

/** What a run-time says of one container. */
export interface ContainerFacts extends Omit<Identification, "identity" | "owner"> {
  readonly owner: "pod" | "docker" | "container";
  readonly container: DumpContainer;
  /** The container's cgroup as the run-time states it; null when it does not say. */
  readonly cgroupPath: string | null;
}

/**
 * One way to ask for a container.
 * Promise  Read-only and idempotent. `undefined` means "asked, and it does not know this id"; an error means "could not ask".
 * Errors   RUNTIME_UNAVAILABLE (absent, refused, hangs), RUNTIME_ANSWER_INVALID; the signal's reason when it aborts.
 */
export interface ContainerRuntime {
  readonly source: Exclude<DumpIdentity["source"], "none">;
  /** Where it asks, for messages. */
  readonly address: string;
  inspect(id: string, signal: AbortSignal): Promise<ContainerFacts | undefined>;
}
