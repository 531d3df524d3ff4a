/** Our own resources in a test's cluster, from the files that an admin applies. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Kubectl, Resource } from "./kubectl.ts";
import { ROOT } from "./paths.ts";

/** The CRDs, established. */
export async function applyCrds(kubectl: Kubectl): Promise<void> {
  await kubectl.run("apply", "--filename", join(ROOT, "install/crd"));
  await kubectl.run("wait", "--for=condition=Established", "--timeout=30s", "--filename", join(ROOT, "install/crd"));
}

/** The policy, in force; `namespace` has to be there. */
export async function applyPolicy(kubectl: Kubectl, stranger: Kubectl, namespace: string): Promise<void> {
  await kubectl.send("create", { apiVersion: "v1", kind: "Namespace", metadata: { name: "coredump-system" } });
  await kubectl.run("apply", "--filename", join(ROOT, "install/admission"));
  // The API server takes a moment to compile it.
  for (let tries = 0; tries < 100; tries++) {
    const answer = await stranger.in(namespace).sendRefusal("create", coredump("probe"), "--dry-run=server");
    if (answer.includes("only the parts of coredump-detector")) return;
    await sleep(100);
  }
  throw new Error("The admission policy is not in force after 10 s");
}

const UID = "6f1d6a2e-3c1b-4a5e-9a59-1f6f0f3f6c11";

/** A Coredump with all that its schema requires; `spec` adds to it or, with undefined, takes away. */
export const coredump = (name: string, spec: Record<string, unknown> = {}): Resource => ({
  apiVersion: "coredump.fujitsu.com/v1",
  kind: "Coredump",
  metadata: { name },
  spec: {
    id: "01939b5a-7c11-7e21-9c3d-3f9c2a71b0de",
    node: "node-1",
    namespaceUid: UID,
    pod: "web-0",
    uid: UID,
    containerName: "nginx",
    pid: 31605,
    filename: "nginx",
    dumptime: "2026-11-21T07:21:03.512Z",
    ...spec,
  },
});

/** `kubectl patch` of an object's status. */
export const statusPatch = (status: Record<string, unknown>): string[] => [
  "--subresource=status",
  "--type=merge",
  "--patch",
  JSON.stringify({ status }),
];
