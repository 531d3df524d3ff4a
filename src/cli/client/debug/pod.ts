/**
 * The debugger's pod: in the dump's namespace, with the caller's own rights. The crashed image is a read-only volume in it, of which
 * nothing is ever executed, so an image without a shell will do; gdb comes from an image of its own. It goes away with the scope;
 * should we be killed, by its deadline or with the Coredump, which owns it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { DumpError, reasonOf } from "../../../domain/failures.ts";
import type { Coredump } from "../../../kube/coredump.ts";
import type { KubeHttp } from "../../../kube/http.ts";
import { COREDUMP_API, collection, member } from "../../../kube/objects.ts";
import { type Pod, removePod, troubleOf } from "../../../kube/pods.ts";
import { explained } from "../trouble.ts";
import { type ImageRef, referencesOf } from "./engine.ts";

export const SYSROOT = "/sysroot";
export const CORE = "/core/core";
export const CONTAINER = "gdb";

/** A working day; gdb sessions are forgotten in terminals. */
const DEADLINE_S = 8 * 3600;
const LOOK_EVERY_MS = 200;
const NOBODY = 65532;

export interface Wish {
  /** Has gdb, sh, cat, wc, head, sleep. */
  readonly gdbImage: string;
  /** Of the image that crashed. */
  readonly reference: string;
  readonly coreBytes: number;
  readonly pullSecrets: readonly object[];
}

/** As Pod Security `restricted` wants it. */
const AS_NOBODY = {
  runAsNonRoot: true,
  runAsUser: NOBODY,
  runAsGroup: NOBODY,
  seccompProfile: { type: "RuntimeDefault" },
};
const NO_PRIVILEGES = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};

export function podFor({ metadata, spec }: Coredump, wish: Wish): object {
  const { name, namespace, uid } = metadata;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      generateName: "coredump-debug-",
      namespace,
      labels: { "app.kubernetes.io/managed-by": "kubectl-coredump", "coredump.fujitsu.com/no-coredump": "true" },
      ownerReferences: [{ apiVersion: COREDUMP_API, kind: "Coredump", name, uid }],
    },
    spec: {
      restartPolicy: "Never",
      activeDeadlineSeconds: DEADLINE_S,
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      imagePullSecrets: wish.pullSecrets,
      securityContext: AS_NOBODY,
      affinity: { nodeAffinity: preferring(spec.node) },
      volumes: [
        { name: "image", image: { reference: wish.reference, pullPolicy: "IfNotPresent" } },
        { name: "core", emptyDir: { sizeLimit: `${Math.ceil(wish.coreBytes * 1.1) + (16 << 20)}` } },
      ],
      containers: [gdbContainer(wish)],
    },
  };
}

const gdbContainer = ({ gdbImage }: Wish) => ({
  name: CONTAINER,
  image: gdbImage,
  command: ["sleep", `${DEADLINE_S}`],
  workingDir: SYSROOT, // gdb looks for libraries there first
  env: [{ name: "HOME", value: "/core" }],
  securityContext: NO_PRIVILEGES,
  volumeMounts: [
    { name: "image", mountPath: SYSROOT, readOnly: true },
    { name: "core", mountPath: "/core" },
  ],
});

/** The node where the image is already; any other will do. */
function preferring(node = "") {
  const preference = { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] };
  return { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, preference }] };
}

export interface DebugPod extends AsyncDisposable {
  readonly name: string;
}

/** Made, running. @throws DumpError with what keeps it from running, when it is gone again */
export async function startPod(
  http: KubeHttp,
  namespace: string,
  body: object,
  patienceMs: number,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<DebugPod> {
  const path = collection("v1", "pods", namespace);
  const made = await http.json<Pod>({ verb: "create", resource: "pods", path, body, signal }).catch((error) => {
    signal.throwIfAborted();
    throw notMade(error, namespace);
  });
  const pod: DebugPod = { name: made.metadata.name, [Symbol.asyncDispose]: () => remove(http, made, say) };
  try {
    await running(http, made, patienceMs, signal);
    return pod;
  } catch (error) {
    await pod[Symbol.asyncDispose]();
    throw error;
  }
}

/** What the crashed pod pulls its images with, and how its image is called there; nothing when it is gone, or another of its name. */
export async function crashedPod(
  http: KubeHttp,
  { metadata, spec }: Coredump,
): Promise<{ readonly pullSecrets: readonly object[]; readonly imageId: string | undefined }> {
  const path = member("v1", "pods", spec.pod ?? "", metadata.namespace);
  const pod = await http.json<Pod>({ verb: "get", resource: "pods", path }).catch(() => undefined);
  const { containerStatuses = [], initContainerStatuses = [] } =
    pod?.metadata.uid === spec.uid ? (pod?.status ?? {}) : {};
  const container = [...containerStatuses, ...initContainerStatuses].find(({ name }) => name === spec.containerName);
  return { pullSecrets: pod?.spec?.imagePullSecrets ?? [], imageId: container?.imageID };
}

/**
 * What a node can get the image by, the surest first. An image that came to its node without a registry has no digest that one knows:
 * the run-time states its own id, and a pod that asks for that as a digest only waits until its pull has failed.
 * @param imageId  `imageID` of the crashed container's status; undefined: its pod is gone, and only trying tells
 */
export function pullableReferences(image: ImageRef, imageId: string | undefined): string[] {
  const ownId = imageId?.replace(/^[a-z-]+:\/\//, ""); // of cri-dockerd: docker://
  return referencesOf(image).filter((reference) => !/^sha256:/.test(reference) && !reference.endsWith(`@${ownId}`));
}

function notMade(error: unknown, namespace: string): unknown {
  if (!(error instanceof DumpError) || error.code !== "API_INVALID")
    return explained(error, "pods", { namespace }, "create");
  const hint =
    "Volumes of images need Kubernetes 1.35, or 1.33 with the feature ImageVolume; else debug here, with --sysroot";
  return new DumpError(error.code, error.message, { cause: error, hint });
}

async function running(http: KubeHttp, { metadata }: Pod, patienceMs: number, signal: AbortSignal): Promise<void> {
  const path = member("v1", "pods", metadata.name, metadata.namespace);
  for (const end = performance.now() + patienceMs; ; ) {
    const pod = await http.json<Pod>({ verb: "get", resource: "pods", path, signal });
    const [status] = pod.status?.containerStatuses ?? [];
    if (status?.ready === true) return;
    const trouble = pod.status?.phase === "Succeeded" ? "it has ended" : troubleOf(pod);
    if (trouble !== undefined) throw notRunning(metadata.name, trouble);
    if (performance.now() > end) throw notRunning(metadata.name, slownessOf(pod));
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function slownessOf({ status = {} }: Pod): string {
  const unmet = status.conditions?.find((condition) => condition.status !== "True" && condition.message);
  const waiting = status.containerStatuses?.[0]?.state?.["waiting"]?.reason;
  return unmet?.message ?? waiting ?? `it is still ${status.phase ?? "unknown"}`;
}

const notRunning = (name: string, why: string): DumpError =>
  new DumpError("TOOL_MISSING", `Cannot start the debugger's pod ${name}: ${why}`, {
    hint: "--gdb-image names the debugger's image, --image the crashed one; --pod-timeout says how long to wait",
  });

async function remove(http: KubeHttp, pod: Pod, say: (line: string) => void): Promise<void> {
  const { name, namespace } = pod.metadata;
  await removePod(http, pod).catch((error) =>
    say(`warning: ${reasonOf(error)}\nhint: kubectl delete pod ${name} -n ${namespace}`),
  );
}
