/** A real cluster with one node, its agent beside our handler, and a pod in it that crashes what it is told to. */
import { join } from "node:path";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { applyCrds } from "../support/coredump-resources.ts";
import { RoleProcess } from "../support/role-process.ts";
import type { Crash } from "./crashes.ts";
import type { Ours } from "./handlers.ts";
import { HOST_FOLDERS, OBEY, Orders } from "./orders.ts";

export interface CrashingPod extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly agent: RoleProcess;
  crash(...command: readonly string[]): Crash;
}

/** @param flags of the agent */
export async function crashingPod(ours: Ours, folder: string, ...flags: readonly string[]): Promise<CrashingPod> {
  await using undo = new AsyncDisposableStack();
  const orders = undo.use(new Orders(join(folder, "pod")));
  const cluster = undo.use(await startCluster({ node: true }));
  await applyCrds(cluster);
  await cluster.kubectl("create", "namespace", "coredump-system");
  const criEndpoint = join(cluster.nodeFolder(), "run/containerd.sock");
  ours.settings({ "cri-endpoint": criEndpoint, "node-name": "node-1" });
  const agent = undo.use(startAgent(ours, cluster, criEndpoint, ...flags));
  const namespace = await cluster.namespace();
  await runPod(cluster, namespace, join(folder, "pod"));
  const stack = undo.move();
  return {
    ...{ cluster, namespace, agent },
    crash: (...command) => orders.crash(...command),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The released program, as a node's unit or DaemonSet runs it. */
export function startAgent(ours: Ours, cluster: Cluster, criEndpoint: string, ...flags: readonly string[]) {
  const own = [`-c=${cluster.kubeconfig}`, `-d=${ours.cache}`, "--node-name=node-1", `--cri-endpoint=${criEndpoint}`];
  return new RoleProcess([ours.program], ["agent", "--metrics-port=0", ...own, ...flags], 0);
}

async function runPod(cluster: Cluster, namespace: string, folder: string): Promise<void> {
  const paths = [["/bench", folder], ...HOST_FOLDERS.map((path) => [path, path])] as [string, string][];
  const volumes = paths.map(([, path], at) => ({ name: `host-${at}`, hostPath: { path } }));
  const volumeMounts = paths.map(([mountPath], at) => ({ name: `host-${at}`, mountPath }));
  const containers = [{ name: "app", image: "localhost/testbed:1", command: OBEY, volumeMounts }];
  const spec = { restartPolicy: "Never", terminationGracePeriodSeconds: 1, containers, volumes };
  const within = cluster.in(namespace);
  await within.send("create", { apiVersion: "v1", kind: "Pod", metadata: { name: "web-0" }, spec });
  await within.kubectl("wait", "--for=condition=Ready", "pod/web-0", "--timeout=60s");
}
