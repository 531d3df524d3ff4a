/** What our parts may do: asked of the authorizer, and, of an agent's first write, tried. */
import { randomUUID } from "node:crypto";
import { DumpError, isCode, reasonOf } from "../../domain/failures.ts";
import { coredumpsIn } from "../../kube/coredump.ts";
import { ifThere } from "../../kube/failures.ts";
import { COREDUMP_API, collection, type KubeObject, member } from "../../kube/objects.ts";
import { ok, problem, type Step, warning } from "../../node/install/step.ts";
import type { CheckContext } from "./checked.ts";

const NODE = "coredump-check";
const account = (namespace: string, part: string): string => `system:serviceaccount:${namespace}:${part}`;

/** One that no controller acts on: it is never stored. */
const probe = (node: string) => ({
  apiVersion: COREDUMP_API,
  kind: "Coredump",
  metadata: { name: `coredump-check-${randomUUID().slice(0, 8)}` },
  spec: {
    ...{ id: "01939b5a-7c11-7e21-9c3d-000000000000", node, namespaceUid: randomUUID(), pod: "coredump-check" },
    ...{ uid: randomUUID(), containerName: "check", pid: 1, filename: "check", dumptime: new Date(0).toISOString() },
  },
});

/** A dry-run create as an agent would, which admission policies see, too: of its own node it must pass, of another it must not. */
export async function checkWriting({ http, namespace, signal }: CheckContext): Promise<Step[]> {
  const user = account(namespace, "coredump-agent");
  const write = async (node: string): Promise<unknown> => {
    const path = coredumpsIn(namespace);
    const headers = {
      "impersonate-user": user,
      "impersonate-group": "system:serviceaccounts",
      "impersonate-extra-authentication.kubernetes.io%2fnode-name": NODE,
    };
    const query = { dryRun: "All" };
    const create = { verb: "create", resource: "coredumps", path, query, headers, body: probe(node), signal } as const;
    return await http.json(create).then(
      () => undefined,
      (error: unknown) => error,
    );
  };
  const refusal = await write(NODE);
  if (isCode(refusal, "API_DENIED") && / cannot impersonate /.test(reasonOf(refusal)))
    return [
      warning("writing", "not tried: you may not impersonate an agent", "ask an admin of the cluster to run this"),
    ];
  if (refusal !== undefined)
    return [problem("writing", `an agent cannot register a dump: ${reasonOf(refusal)}`, hintFor(refusal))];
  const stranger = await write(`${NODE}-2`);
  if (stranger === undefined)
    return [problem("writing", "an agent may register dumps of other nodes", "kubectl apply -f install/admission")];
  if (!isCode(stranger, "API_DENIED")) throw stranger;
  return [ok("writing", "an agent may register dumps of its own node, and of no other")];
}

function hintFor(error: unknown): string {
  const own = error instanceof DumpError ? error.hint : undefined;
  const policies =
    "the policies in install/admission are newer or older than the parts, or the API server does not evaluate them: apply them again";
  return own === undefined || own.startsWith("an admission policy") ? policies : own;
}

type NeededRight = readonly [group: string, resource: string, verbs: readonly string[]];
const OURS = "coredump.fujitsu.com";

/** What a part may do in all namespaces, as install/rbac has it; a test keeps the two the same. */
export const NEEDS: Readonly<Record<string, readonly NeededRight[]>> = {
  "coredump-agent": [
    [OURS, "coredumps", ["create", "get", "list", "watch", "update"]],
    [OURS, "coredumps/status", ["update"]],
    ["", "pods", ["get"]],
    ["", "namespaces", ["get"]],
    ["", "events", ["create"]],
  ],
  "coredump-controller": [
    [OURS, "coredumps", ["get", "list", "watch", "delete"]],
    [OURS, "coredumps/status", ["patch"]],
    [OURS, "coredumpquotas", ["get", "list", "watch"]],
    [OURS, "coredumpquotas/status", ["patch"]],
    ["", "nodes", ["list", "watch", "patch"]],
  ],
  "coredump-gc": [
    [OURS, "coredumps", ["get", "list", "watch", "delete"]],
    [OURS, "coredumps/status", ["patch"]],
    [OURS, "coredumpendpoints", ["list", "watch", "create", "delete"]],
    ["", "namespaces", ["get", "list", "watch"]],
    ["", "pods", ["list", "watch"]],
  ],
};

export async function checkRights(checked: CheckContext): Promise<Step[]> {
  const { http, namespace, signal } = checked;
  const steps: Step[] = [];
  for (const [part, needs] of Object.entries(NEEDS)) {
    const path = member("v1", "serviceaccounts", part, namespace);
    if (!(await ifThere(http.json<KubeObject>({ verb: "get", resource: "serviceaccounts", path, signal })))) continue;
    for (const [group, resource, verbs] of needs)
      for (const verb of verbs)
        if (!(await may(checked, part, { verb, group, resource })))
          steps.push(lacking(part, { verb, group, resource }));
  }
  return steps.length > 0 ? steps : [ok("rights", "each part may do what it needs most")];
}

interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
}

const lacking = (part: string, { verb, group, resource }: Right): Step =>
  problem(
    "rights",
    `${part} may not ${verb} ${resource}${group && `.${group}`}`,
    "kubectl apply -f install/rbac; with helm: helm upgrade",
  );

async function may({ http, namespace, signal }: CheckContext, part: string, { verb, group, resource: what }: Right) {
  const [resource, subresource] = what.split("/");
  const resourceAttributes = { verb, group, resource, ...(subresource && { subresource }) };
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
  const body = {
    ...{ apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview" },
    spec: { user: account(namespace, part), groups, resourceAttributes },
  };
  const review = "subjectaccessreviews";
  const path = collection("authorization.k8s.io/v1", review);
  const ask = { verb: "create", resource: review, path, body, signal } as const;
  const { status } = await http.json<{ status?: { allowed?: boolean } }>(ask);
  return status?.allowed === true;
}
