/** A cluster with many nodes: the real API server, etcd and controller; nodes as nodes.ts makes them. docs/scale.md has its figures. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type KubeHttp } from "../../src/kube/http.ts";
import { collection } from "../../src/kube/objects.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { Controller, Dumps } from "../support/controller.ts";
import { applyCrds } from "../support/coredump-resources.ts";
import { ROOT } from "../support/paths.ts";
import { type TempDir, tempDir } from "../support/tmp.ts";
import { Book } from "./book.ts";
import { CORE_BYTES, type Crash, type Told } from "./nodes.ts";

const SYSTEM = "coredump-system";
/** Every fifth tenant has room for this many dumps; the others for all. */
export const TIGHT_EACH = 5;
const QUIET_MS = 120_000;

export interface Plan {
  readonly agents: number;
  /** Processes that they share. */
  readonly processes: number;
  readonly tenants: number;
  /** Dumps that a tight tenant may have. */
  readonly tightDumps: number;
}

export class Simulation implements AsyncDisposable {
  readonly plan: Plan;
  readonly cluster: Cluster;
  readonly http: KubeHttp;
  readonly controller: Controller;
  readonly book = new Book();
  /** ids of all crashes, in their order. */
  readonly crashed: string[] = [];
  /** What agents complained of, and how often. */
  readonly troubles = new Map<string, number>();
  readonly #folder: TempDir;
  readonly #owned: AsyncDisposableStack;
  readonly #children: { readonly first: number; readonly end: number; readonly child: ChildProcess }[] = [];
  #kubeconfig = "";
  #orders = 0;

  private constructor(
    plan: Plan,
    cluster: Cluster,
    http: KubeHttp,
    controller: Controller,
    owned: AsyncDisposableStack,
  ) {
    this.plan = plan;
    this.cluster = cluster;
    this.http = http;
    this.controller = controller;
    this.#owned = owned;
    this.#folder = owned.use(tempDir());
    const watching = new AbortController();
    const book = this.book.follow(http, watching.signal);
    owned.defer(async () => {
      watching.abort();
      await book;
    });
  }

  /** With one agent, that of node-0. */
  static async start(plan: Plan): Promise<Simulation> {
    await using owned = new AsyncDisposableStack();
    const cluster = owned.use(await startCluster());
    await applyCrds(cluster);
    await cluster.kubectl("create", "namespace", SYSTEM);
    await cluster.kubectl("apply", "--filename", join(ROOT, "install/rbac/agent.yaml"));
    const http = await connect(cluster.kubeconfig);
    for (let tenant = 0; tenant < plan.tenants; tenant++) await makeTenant(http, tenant, plan.tightDumps);
    const controller = owned.use(await Controller.start(cluster.kubeconfig));
    await controller.leads();
    const simulation = new Simulation(plan, cluster, http, controller, owned.move());
    try {
      simulation.#kubeconfig = (await cluster.serviceAccount(SYSTEM, "coredump-agent")).kubeconfig;
      await simulation.#startNodes(0, 1);
      return simulation;
    } catch (error) {
      await simulation[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The agents of all other nodes. */
  async startOthers(): Promise<void> {
    const { agents, processes } = this.plan;
    const each = Math.ceil((agents - 1) / processes);
    const firsts = Array.from({ length: processes }, (_, index) => 1 + index * each);
    await Promise.all(firsts.map((first) => this.#startNodes(first, Math.min(each, agents - first))));
  }

  /**
   * So many crashes, from node to node and tenant to tenant in turn.
   * @param perSecond  0: all at once
   * @returns their ids, when all have come to their end
   */
  async storm(dumps: number, nodes: number, perSecond = 0, first = 0): Promise<readonly string[]> {
    const from = this.crashed.length;
    const startMs = performance.now();
    for (let crash = 0; crash < dumps; crash++) {
      const node = first + (crash % nodes);
      const namespace = `tenant-${this.#orders++ % this.plan.tenants}`;
      const { child } = this.#children.find(({ first, end }) => node >= first && node < end) ?? {};
      child?.send({ node, namespace } satisfies Crash);
      if (perSecond > 0) await sleep(Math.max(0, startMs + (crash + 1) * (1000 / perSecond) - performance.now()));
    }
    await this.#quiet(from + dumps);
    return this.crashed.slice(from);
  }

  /** Each crash when the one before it was over, on the node `first` or, each on another, from there on. */
  async alone(dumps: number, first = 0): Promise<readonly string[]> {
    const from = this.crashed.length;
    for (let crash = 0; crash < dumps; crash++) await this.storm(1, 1, 0, first && first + crash);
    return this.crashed.slice(from);
  }

  /** Until so many dumps are where they stay: stored, or denied. @throws Error when nothing moves any more */
  async #quiet(dumps: number): Promise<void> {
    const isOver = () =>
      this.crashed.length >= dumps &&
      this.crashed.every((id) => ["Saved", "Denied"].includes(this.book.dumps.get(id)?.state ?? ""));
    let last = "";
    for (let sinceMs = performance.now(); !isOver(); await sleep(50)) {
      const now = `${this.crashed.length} crashed, ${this.book.dumps.size} seen, ${this.book.count(({ state }) => state === "Saved")} saved`;
      if (now !== last) sinceMs = performance.now();
      last = now;
      if (performance.now() - sinceMs > QUIET_MS)
        throw new Error(`Nothing moves: ${now}, of ${dumps}; ${JSON.stringify([...this.troubles].slice(0, 5))}`);
    }
  }

  async #startNodes(first: number, count: number): Promise<void> {
    if (count <= 0) return;
    const args = [this.#kubeconfig, `${first}`, `${count}`, this.#folder.path];
    const execArgv = ["--disable-warning=ExperimentalWarning"];
    const child = fork(join(import.meta.dirname, "nodes.ts"), args, { execArgv });
    this.#owned.defer(async () => await ended(child));
    const ready = Promise.withResolvers<void>();
    child.once("exit", (code) => ready.reject(new Error(`The nodes from ${first} on ended: ${code}`)));
    child.on("message", (told: Told) => {
      if ("ready" in told) ready.resolve();
      else if ("crashed" in told) this.crashed.push(told.crashed);
      else this.troubles.set(told.trouble, (this.troubles.get(told.trouble) ?? 0) + 1);
    });
    await ready.promise;
    this.#children.push({ first, end: first + count, child });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

async function makeTenant(http: KubeHttp, tenant: number, tightDumps: number): Promise<void> {
  const name = `tenant-${tenant}`;
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
  await http.json({ verb: "create", resource: "namespaces", path: collection("v1", "namespaces"), body });
  await new Dumps(http, name).quota("default", isTight(tenant) ? `${tightDumps * CORE_BYTES}` : "100Gi");
}

export const isTight = (tenant: number): boolean => tenant % TIGHT_EACH === 0;

/** Whatever its agents still have at hand does not count any more. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}
