/** The controller started anew over 10,000 Coredumps in 200 namespaces: steady when all are known and each namespace had its round. */
import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type KubeHttp } from "../../src/kube/http.ts";
import { collection } from "../../src/kube/objects.ts";
import { startCluster } from "../support/cluster.ts";
import { Controller, Dumps } from "../support/controller.ts";
import { applyCrds } from "../support/coredump-resources.ts";
import { KUBECTL } from "../support/kubectl.ts";
import { memoryMiB } from "./idle.ts";
import { type Compared, inTurn } from "./pairs.ts";

const NAMESPACES = 200;
const DUMPS_EACH = 50;

export interface Restarted extends Compared {
  readonly maxRssMiB: number;
  /** Of one restart: requests that list, and that change something. */
  readonly lists: number;
  readonly writes: number;
}

/** Against `kubectl get coredumps -A -o json`. */
export async function restart(count: number): Promise<Restarted> {
  await using cluster = await startCluster();
  await applyCrds(cluster);
  await cluster.kubectl("create", "namespace", "coredump-system");
  await fill(await connect(cluster.kubeconfig));
  await using first = await Controller.start(cluster.kubeconfig);
  await steady(first); // the ledgers are written
  await first.end();
  let most = { maxRssMiB: 0, lists: 0, writes: 0 };
  const ours = async () => {
    const { seconds, maxRssMiB, lists, writes } = await restartS(cluster.kubeconfig);
    most = {
      maxRssMiB: Math.max(most.maxRssMiB, maxRssMiB),
      lists: Math.max(most.lists, lists),
      writes: Math.max(most.writes, writes),
    };
    return seconds;
  };
  const compared = await inTurn(count, ours, async () => kubectlS(cluster.kubeconfig));
  return { ...compared, ...most };
}

async function restartS(kubeconfig: string) {
  const startMs = performance.now();
  await using controller = await Controller.start(kubeconfig);
  await steady(controller);
  const seconds = (performance.now() - startMs) / 1000;
  const { text } = await controller.ask("/metrics");
  const sum = (...verbs: string[]) =>
    [...text.matchAll(/^coredump_controller_requests_total\{verb="(\w+)",resource="([^"]+)"\} (\d+)/gm)]
      .filter(([, verb = "", resource]) => verbs.includes(verb) && !(verb === "update" && resource === "leases"))
      .reduce((total, [, , , count]) => total + Number(count), 0);
  const maxRssMiB = memoryMiB(controller.pid, "VmHWM");
  await controller.end();
  return { seconds, maxRssMiB, lists: sum("list"), writes: sum("patch", "delete", "update") };
}

/** Its own figures say so; asking is no load that counts. */
async function steady(controller: Controller): Promise<void> {
  for (;;) {
    const rounds = await controller.metric("coredump_controller_round_seconds_count").catch(() => 0);
    if (rounds >= NAMESPACES && (await controller.metric("coredump_controller_queue_depth")) === 0) return;
    await sleep(20);
  }
}

function kubectlS(kubeconfig: string): number {
  const nothing = openSync("/dev/null", "w");
  const startMs = performance.now();
  execFileSync(KUBECTL, ["--kubeconfig", kubeconfig, "get", "coredumps", "-A", "-o", "json"], {
    stdio: ["ignore", nothing, "inherit"],
  });
  const seconds = (performance.now() - startMs) / 1000;
  closeSync(nothing);
  return seconds;
}

/** Dumps of all states, each namespace with a quota. */
async function fill(http: KubeHttp): Promise<void> {
  const states = ["Saved", "Saved", "Saved", "Denied", "FailedToSave", "Refused"];
  const namespaces = Array.from({ length: NAMESPACES }, (_, index) => `tenant-${index}`).values();
  const worker = async () => {
    for (const name of namespaces) {
      const body = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
      await http.json({ verb: "create", resource: "namespaces", path: collection("v1", "namespaces"), body });
      const dumps = new Dumps(http, name);
      await dumps.quota("default", "100Gi");
      for (let index = 0; index < DUMPS_EACH; index++)
        await dumps.crash(`web-0-nginx-${String(index).padStart(12, "0")}`, "214Mi", states[index % states.length]);
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}
