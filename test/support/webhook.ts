/** The admission webhook as a process outside the cluster, called by its address. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import type { Resource } from "./kubectl.ts";
import { ROOT } from "./paths.ts";
import { freePort, RoleProcess, SOURCES } from "./role-process.ts";

/** The objects of a file under install/, each once. */
export const objectsIn = (path: string): Resource[] =>
  parseAllDocuments(readFileSync(join(ROOT, path), "utf8")).map((document) => document.toJS());

export const systemNamespace: Resource = {
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: "coredump-system" },
};

export class Webhook extends RoleProcess {
  /** Started, and not waited for. @param port that it is called on */
  static start(port: number, ...flags: readonly string[]): Promise<Webhook> {
    return Webhook.run(SOURCES, port, ...flags);
  }

  /** @param program SOURCES or RELEASED */
  static async run(program: readonly string[], port: number, ...flags: readonly string[]): Promise<Webhook> {
    const health = await freePort();
    const own = ["--bind-port", `${port}`, "--metrics-port", `${health}`, "--grace", "0s"];
    return new Webhook(program, ["webhook", ...own, ...flags], health);
  }

  async ready(): Promise<void> {
    await eventually(async () => {
      const { status, text } = await this.ask("/readyz");
      if (status !== 200) throw new Error(`it is not ready: ${text} ${this.said}`);
    });
  }
}

/** With its objects from install/, a certificate of its own, and cluster-admin's rights; the cluster calls it from now on. */
export async function startWebhook(cluster: Cluster): Promise<Webhook> {
  const port = await freePort();
  await cluster.send("apply", systemNamespace);
  for (const configuration of objectsIn("install/webhook/url.yaml")) {
    configuration["webhooks"][0].clientConfig.url = `https://${cluster.address}:${port}/mutate`;
    await cluster.send("apply", configuration);
  }
  const webhook = await Webhook.start(
    port,
    "--self-signed",
    "--names",
    cluster.address,
    "--kubeconfig",
    cluster.kubeconfig,
  );
  try {
    await webhook.ready();
    await called(cluster, webhook);
  } catch (error) {
    await webhook[Symbol.asyncDispose]();
    throw error;
  }
  return webhook;
}

/** API servers learn of a configuration by a watch. */
async function called(cluster: Cluster, webhook: Webhook): Promise<void> {
  const container = { name: "app", image: "localhost/testbed:1" };
  const metadata = { name: "probe", annotations: { "coredump.fujitsu.com/pvcname": "probe" } };
  await cluster.in("default").kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=30s");
  await eventually(async () => {
    const pod = { apiVersion: "v1", kind: "Pod", metadata, spec: { containers: [container] } };
    const { spec } = await cluster.in("default").send("create", pod, "--dry-run=server");
    if (spec.nodeSelector?.coredump !== "true") throw new Error(`nobody calls it: ${webhook.said}`);
  });
}
