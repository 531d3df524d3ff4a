/** Pods that we start ourselves: what keeps one from running, and how it goes. */
import { ifThere } from "./failures.ts";
import type { KubeHttp } from "./http.ts";
import { type KubeObject, member } from "./objects.ts";

interface Container {
  readonly image?: string;
  readonly imagePullPolicy?: string;
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
}

interface ContainerState {
  readonly reason?: string;
  readonly message?: string;
}

export interface Pod extends KubeObject {
  readonly spec?: {
    readonly nodeName?: string;
    readonly imagePullSecrets?: readonly object[];
    readonly containers?: readonly Container[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly message?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

interface ContainerStatus {
  readonly name?: string;
  /** `repository@digest`, or where no registry knows the image, the run-time's bare id. */
  readonly imageID?: string;
  readonly ready?: boolean;
  readonly state?: { readonly [state: string]: ContainerState | undefined };
}

/** The kubelet's reasons for a container that does not start: it tries again, but waiting for that does not help. */
const HOPELESS =
  /^(ErrImagePull|ImagePullBackOff|ErrImageNeverPull|InvalidImageName|ImageInspectError|RegistryUnavailable|CreateContainer(Config)?Error|RunContainerError|CrashLoopBackOff)$/;

/** Why it will not run, or has failed; undefined while it may still. */
export function troubleOf({ status = {} }: Pod): string | undefined {
  const state = status.containerStatuses?.[0]?.state;
  const { reason = "", message = "" } = state?.["waiting"] ?? state?.["terminated"] ?? {};
  const words = [reason, message || status.message].filter(Boolean).join(": ");
  if (status.phase === "Failed") return words || "it is Failed";
  return HOPELESS.test(reason) ? words : undefined;
}

/** At once, and only this very pod. One that has gone already is fine. */
export async function removePod(http: KubeHttp, { metadata }: KubeObject): Promise<void> {
  const { name, namespace, uid } = metadata;
  const body = { apiVersion: "v1", kind: "DeleteOptions", gracePeriodSeconds: 0, preconditions: { uid } };
  const path = member("v1", "pods", name, namespace);
  await ifThere(http.json({ verb: "delete", resource: "pods", path, body }));
}
