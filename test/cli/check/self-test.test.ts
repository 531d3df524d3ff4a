/** `check --self-test`: what it makes, what it says of each end, and that it leaves no pod. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { selfTest } from "../../../src/cli/check/self-test.ts";
import { STATUS, statusText } from "../../../src/cluster/policy/agent-status.ts";
import { DumpError } from "../../../src/domain/failures.ts";
import type { KubeAnswers, KubeRequest } from "../../../src/kube/http.ts";
import { scriptedHttp } from "../../kube/scripted-http.ts";

const NS = "coredump-system";
const STORE = { volume: "s3://cores", isUp: true, since: "2026-11-21T07:00:00.000Z" };
const agent = (node: string, isReady: boolean) => ({
  metadata: { name: `agent-${node}`, namespace: NS },
  spec: {
    nodeName: node,
    containers: [{ image: "registry/coredump:2", imagePullPolicy: "Never" }],
    imagePullSecrets: [{ name: "pull" }],
  },
  status: { conditions: [{ type: "Ready", status: isReady ? "True" : "False" }] },
});
const AGENTS = [agent("n1", false), agent("n2", true)];

interface World {
  readonly agents?: readonly object[];
  readonly hasStore?: boolean;
  /** Of the pod that crashes. */
  readonly status?: object;
  /** Of its Coredump; without one none comes. */
  readonly dump?: object;
  readonly refused?: Readonly<Record<string, Error>>;
}

/** @returns what was found, and what was asked that changes something */
async function run({ agents = AGENTS, hasStore = true, status = {}, dump, refused = {} }: World, node?: string) {
  const pods = new Map<string, { metadata: { name: string } }>();
  const of = (pod: string) => ({ metadata: { name: "dump-1", namespace: NS, uid: "d" }, spec: { pod }, status: dump });
  const answer = ({ verb, resource, path, body }: KubeRequest) => {
    const refusal = refused[`${verb} ${resource}`];
    if (refusal) return refusal;
    const name = path.split("/").at(-1) ?? "";
    if (resource === "leases")
      return {
        metadata: {
          annotations: { [STATUS]: statusText({ problems: [], waiting: 0, ...(hasStore && { store: STORE }) }) },
        },
      };
    if (resource === "coredumps" && verb === "list") return { items: dump ? [...pods.keys()].map(of) : [] };
    if (resource === "pods" && verb === "list") return { items: agents };
    if (resource === "pods" && verb === "create") {
      const made = body as { metadata: { name: string } };
      pods.set(made.metadata.name, { ...made, metadata: { ...made.metadata, ...{ uid: "p" } } });
      return pods.get(made.metadata.name) ?? {};
    }
    return { ...pods.get(name), status };
  };
  const http = scriptedHttp(answer);
  const patience = dump || Object.keys(status).length > 0 ? AbortSignal.timeout(10_000) : AbortSignal.abort();
  const steps = await selfTest({ http: http as unknown as KubeAnswers, namespace: NS, signal: patience }, node);
  const changes = http.asked.filter(({ verb }) => verb === "create" || verb === "delete");
  return { found: steps.map(({ level, text }) => `${level} ${text}`).join("\n"), changes };
}
const words = (changes: readonly KubeRequest[]) => changes.map(({ verb, resource }) => `${verb} ${resource}`);
const WHOLE = ["create pods", "delete coredumps", "delete pods"];
const REMOVED = ["create pods", "delete pods"];

for (const { on, world, node, want, does } of [
  {
    on: "a dump in the store",
    world: { dump: { state: "Saved" } },
    want: /^ok a crash on node n2 .*, Saved /,
    does: WHOLE,
  },
  {
    on: "a dump where there is no store",
    world: { dump: { state: "Allowed" }, hasStore: false },
    want: /^ok a crash on node n2 .*, Allowed /,
    does: WHOLE,
  },
  {
    on: "the node that is named",
    world: { dump: { state: "Saved" } },
    node: "n1",
    want: /^ok .* node n1 /,
    does: WHOLE,
  },
  {
    on: "a node without an agent",
    world: {},
    node: "n3",
    want: /^problem no pod of an agent .* on node n3$/,
    does: [],
  },
  {
    on: "a dump that is refused",
    world: { dump: { state: "Denied", message: "quota is used up" } },
    want: /^problem .* dump-1 is Denied: quota is used up$/,
    does: REMOVED, // the dump stays: it tells why
  },
  {
    on: "no dump",
    world: {},
    want: /^problem Cannot see the crash: no Coredump of pod coredump-self-test-/,
    does: REMOVED,
  },
  {
    on: "an image that cannot be had",
    world: { status: { containerStatuses: [{ state: { waiting: { reason: "ErrImageNeverPull" } } }] } },
    want: /^problem .* the pod did not get to its crash: ErrImageNeverPull$/,
    does: REMOVED,
  },
  {
    on: "an image that does not know the order",
    world: { status: { phase: "Failed", containerStatuses: [{ state: { terminated: { reason: "Error" } } }] } },
    want: /^problem .* the pod did not get to its crash: Error$/,
    does: REMOVED,
  },
  {
    on: "no right to make pods",
    world: { refused: { "create pods": new DumpError("API_DENIED", "Cannot create pods: forbidden") } },
    want: /^problem Cannot create pods: forbidden$/,
    does: ["create pods"],
  },
  {
    on: "no right to remove them",
    world: {
      dump: { state: "Saved" },
      refused: { "delete pods": new DumpError("API_DENIED", "Cannot delete pods: forbidden") },
    },
    want: /^ok .*\nwarning pod coredump-self-test-\w+ was left there: Cannot delete pods: forbidden$/,
    does: WHOLE,
  },
] as readonly { on: string; world: World; node?: string; want: RegExp; does: readonly string[] }[])
  test(`selfTest() tells of ${on}`, async () => {
    const { found, changes } = await run(world, node);
    assert.match(found, want);
    assert.deepEqual(words(changes), does);
  });

test("selfTest() makes a pod of the agent's image that may do nothing but crash, on the agent's node", async () => {
  const { changes } = await run({ dump: { state: "Saved" } });
  const { metadata, spec } = (changes[0]?.body ?? {}) as {
    metadata: { labels: object };
    spec: Record<string, unknown>;
  };
  assert.equal("coredump.fujitsu.com/no-coredump" in metadata.labels, false);
  const { nodeName, imagePullSecrets, automountServiceAccountToken } = spec;
  assert.deepEqual([nodeName, imagePullSecrets, automountServiceAccountToken], ["n2", [{ name: "pull" }], false]);
  const [{ image, imagePullPolicy, args }] = spec["containers"] as [Record<string, unknown>];
  assert.deepEqual([image, imagePullPolicy, args], ["registry/coredump:2", "Never", ["crash-test", "--only-crash"]]);
});
