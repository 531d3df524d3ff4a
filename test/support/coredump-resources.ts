/** Our own resources in a test's cluster, from the files that an admin applies. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import type { Resource, User } from "./kubectl.ts";
import { ROOT } from "./paths.ts";

/** The admission policies, as an admin applies them. */
export const POLICIES = join(ROOT, "install/admission");

/** The CRDs, established. */
export async function applyCrds(admin: User): Promise<void> {
  await admin.kubectl("apply", "--filename", join(ROOT, "install/crd"));
  await admin.kubectl("wait", "--for=condition=Established", "--timeout=30s", "--filename", join(ROOT, "install/crd"));
}

/** The policy, in force. The API server takes a moment to compile it: `stranger` tries, with every right that roles give. */
export async function applyPolicy(admin: User, stranger: User, namespace: string): Promise<void> {
  await admin.send("create", { apiVersion: "v1", kind: "Namespace", metadata: { name: "coredump-system" } });
  await admin.kubectl("apply", "--filename", POLICIES);
  await eventually(async () => {
    const answer = await stranger.in(namespace).sendRefusal("create", coredump("probe"), "--dry-run=server");
    assert.match(answer, /only the parts of coredump-detector/);
  });
}

const POLICY = "coredump-writers.coredump.fujitsu.com";

/** As the chart does where there is no controller. The API server takes a moment to compile it. */
export async function letAgentsDecide(admin: User, yes: boolean): Promise<void> {
  const policy = await admin.get("validatingadmissionpolicy", POLICY);
  const variable = policy["spec"].variables.find(({ name }: { name: string }) => name === "agentsDecide");
  variable.expression = `${yes}`;
  await admin.send("replace", policy);
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
