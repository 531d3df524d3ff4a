/** A real cluster for a test: started by the test bed, stopped with its scope. */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Resource, User } from "./kubectl.ts";
import { TESTBED, TESTBED_COMMAND } from "./paths.ts";

const exec = promisify(execFile);
let started = 0;

export type Part = "etcd" | "apiserver" | "controller-manager" | "scheduler";

export interface ClusterOptions {
  /** With node-1. Default: no node, which is enough for whatever needs no pods. */
  readonly node?: boolean;
  /** More flags of kube-apiserver. */
  readonly apiserverFlags?: readonly string[];
}

/** Starts one (3 s, 5 s with a node). `testbed reap` stops it if we are killed. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const name = `cluster-${process.pid}-${++started}`;
  const flags = { APISERVER_FLAGS: options.apiserverFlags?.join(" ") ?? "" };
  await testbed(["cluster", "start", name], flags);
  const cluster = new Cluster(name);
  try {
    if (options.node) await cluster.startNode();
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
  return cluster;
}

async function testbed(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  return (
    await exec(TESTBED_COMMAND, args, { env: { ...process.env, OWNER: `${process.pid}`, ...env } })
  ).stdout.trim();
}

/** Its own methods are those of cluster-admin. */
export class Cluster extends User implements AsyncDisposable {
  readonly name: string;
  /** Certificates, logs of the parts, etcd's data. */
  readonly folder: string;
  /** Of this machine, as nodes, pods and the API server reach it: where a server of a test has to listen. */
  readonly address: string;
  #namespaces = 0;

  constructor(name: string) {
    const folder = join(TESTBED, "run", name);
    super(join(folder, "kubeconfig"));
    this.name = name;
    this.folder = folder;
    this.address = `198.18.${readFileSync(join(folder, "index"), "utf8").trim()}.1`;
  }

  /** The folder of a node is that of its engine: run/containerd.sock, bin/ctr, kubelet.log. */
  nodeFolder(number = 1): string {
    return `${this.folder}-node-${number}`;
  }

  async startNode(number = 1): Promise<void> {
    await testbed(["node", "start", this.name, `${number}`]);
  }

  async stopNode(number = 1): Promise<void> {
    await testbed(["node", "stop", this.name, `${number}`]);
  }

  /** Killed, as a machine that dies; what was durable is there again when it comes `up`. */
  async down(...parts: readonly Part[]): Promise<void> {
    await testbed(["cluster", "down", this.name, ...parts]);
  }

  async up(...parts: readonly Part[]): Promise<void> {
    await testbed(["cluster", "up", this.name, ...parts]);
  }

  /** A namespace that no other test uses, with the service account that pods need. */
  async namespace(labels: Record<string, string> = {}): Promise<string> {
    const name = `test-${++this.#namespaces}`;
    await this.send("create", { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
    await this.in(name).kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=30s");
    return name;
  }

  /** Someone with a client certificate, and so far without any right. */
  async user(name: string, ...groups: readonly string[]): Promise<User> {
    return new User(await testbed(["cluster", "user", this.name, name, ...groups]));
  }

  /** A service account's user, by a token that is bound to a node, as a pod's on that node is. */
  async serviceAccount(namespace: string, name: string, node?: string): Promise<User> {
    const bound = node === undefined ? [] : ["--bound-object-kind", "Node", "--bound-object-name", node];
    const uid = node === undefined ? [] : ["--bound-object-uid", (await this.get("node", node)).metadata["uid"]];
    const token = (await this.in(namespace).kubectl("create", "token", name, ...bound, ...uid)).trim();
    const view = JSON.parse(await this.kubectl("config", "view", "--raw", "--output", "json"));
    view.users[0].user = { token };
    const kubeconfig = join(this.folder, "users", `${namespace}.${name}.${node ?? ""}.kubeconfig`);
    writeFileSync(kubeconfig, JSON.stringify(view), { mode: 0o600 });
    return new User(kubeconfig);
  }

  /** A pod that runs to its end, with its first container's exit code. */
  async ended(namespace: string, name: string): Promise<{ pod: Resource; exitCode: number }> {
    const within = this.in(namespace);
    const ended = "{.status.containerStatuses[0].state.terminated.exitCode}";
    await within.kubectl("wait", "--for", `jsonpath=${ended}`, `pod/${name}`, "--timeout=60s");
    const pod = await within.get("pod", name);
    return { pod, exitCode: pod["status"].containerStatuses[0].state.terminated.exitCode };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await testbed(["cluster", "stop", this.name]);
  }
}
