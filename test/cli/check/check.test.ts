/** What `kubectl coredump check` finds, and that it finds nothing where all is well. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { check } from "../../../src/cli/check/check.ts";
import { ofNode } from "../../../src/cli/check/nodes.ts";
import { NEEDS } from "../../../src/cli/check/rights.ts";
import { type AgentStatus, STATUS, statusText } from "../../../src/cluster/policy/agent-status.ts";
import { DumpError } from "../../../src/domain/failures.ts";
import type { KubeAnswers, KubeRequest } from "../../../src/kube/http.ts";
import type { Lease } from "../../../src/kube/lease.ts";
import { type Answer, scriptedHttp } from "../../kube/scripted-http.ts";
import { ROOT } from "../../support/paths.ts";

const NS = "coredump-system";
const now = () => new Date().toISOString();
const missing = new DumpError("NOT_FOUND", "none");
const conditions = (type: string, status = "True", message?: string) => ({ conditions: [{ type, status, message }] });
const well: AgentStatus = { problems: [], waiting: 0 };

const lease = (name: string, spec = {}, annotations = {}) => ({
  metadata: { name, namespace: NS, uid: name, resourceVersion: "1", annotations, managedFields: [{ time: now() }] },
  spec: { holderIdentity: `${name}-pod_1`, leaseDurationSeconds: 15, renewTime: now(), ...spec },
});
const pod = (name: string, part: string, ready = true, waiting?: object) => ({
  metadata: { name, labels: { "app.kubernetes.io/name": part } },
  status: {
    phase: "Running",
    ...conditions("Ready", ready ? "True" : "False"),
    containerStatuses: [{ state: { waiting } }],
  },
});

/** An installation that is well, but for `change`: by resource (and, after a slash, name), its answer. */
function api(change: Readonly<Record<string, Answer | ((request: KubeRequest) => Answer)>> = {}): KubeAnswers {
  const world: typeof change = {
    customresourcedefinitions: { metadata: {}, status: conditions("Established") },
    apiservices: { metadata: {}, status: conditions("Available") },
    configmaps: missing,
    mutatingwebhookconfigurations: { webhooks: [{ clientConfig: { caBundle: "Cg==" } }] },
    endpointslices: { items: [{ endpoints: [{}] }] },
    serviceaccounts: { metadata: {} },
    subjectaccessreviews: { status: { allowed: true } },
    pods: { items: [pod("a", "coredump-agent"), pod("c-1", "coredump-controller"), pod("c-2", "coredump-controller")] },
    leases: { items: [lease("coredump-node-n1", {}, { [STATUS]: statusText(well) })] },
    "leases/coredump-controller": lease("coredump-controller"),
    "leases/coredump-gc": lease("coredump-gc"),
    coredumps: ({ body }) => {
      const isOwn = (body as { spec: { node: string } }).spec.node === "coredump-check";
      return isOwn ? {} : new DumpError("API_DENIED", "Cannot create coredumps: not of this node");
    },
    ...change,
  };
  const http = scriptedHttp((request) => {
    const named = `${request.resource}/${request.path.split("/").at(-1)}`;
    const answer = world[named] ?? world[request.resource] ?? missing;
    return typeof answer === "function" ? answer(request) : answer;
  });
  const answer = async (request: KubeRequest) => {
    const said = world[request.resource];
    if (said instanceof Error) throw said;
    return Object.assign(Readable.from([]), { headers: { date: new Date().toUTCString() } }) as never;
  };
  return { ...http, answer };
}

const found = async (http: KubeAnswers) =>
  (await check({ http, namespace: NS, signal: AbortSignal.timeout(10_000) }))
    .filter(({ level }) => level !== "ok")
    .map(({ level, what, text }) => `${level} ${what}: ${text}`);

test("check() finds nothing wrong with what is well", async () => {
  const steps = await check({ http: api(), namespace: NS, signal: AbortSignal.timeout(10_000) });
  assert.deepEqual(
    steps.map(({ level, what }) => `${level} ${what}`),
    [
      "api",
      "crds",
      "writing",
      "apiservice",
      "webhook",
      "rights",
      "agent",
      "controller",
      "controller",
      "gc",
      "node n1",
    ].map((what) => `ok ${what}`),
  );
});

const unready = (name: string, part: string, says: string) => ({
  pods: { items: [pod("a", "coredump-agent"), pod(name, part, false)] },
  "pods/proxy": new DumpError("API_UNAVAILABLE", `Cannot get pods/proxy: ${says}`),
});
const onNode = (status: AgentStatus) => ({
  leases: { items: [lease("coredump-node-n1", {}, { [STATUS]: statusText(status) })] },
});
const NO_BUCKET = "Cannot begin .coredump-detector-probe in s3://cores: no such bucket (NoSuchBucket, 404)";

for (const { on, change, want } of [
  {
    on: "an admission policy that the API server cannot evaluate after it was installed again",
    change: {
      coredumps: new DumpError("API_DENIED", "Cannot create coredumps: failed to configure binding: no params found", {
        hint: "an admission policy refused it",
      }),
    },
    want: [
      "problem writing: an agent cannot register a dump: Cannot create coredumps: failed to configure binding: no params found",
    ],
  },
  {
    on: "a standby that is not ready",
    change: unready("c-2", "coredump-controller", "Cannot get leases: the server does not answer"),
    want: ["problem controller: c-2 is not ready: Cannot get leases: the server does not answer"],
  },
  {
    on: "a collector that holds back what vanished",
    change: unready("g", "coredump-gc", "Cannot remove 71 of 84 bundles (71 NoCoredump) at once"),
    want: ["problem gc: g is not ready: Cannot remove 71 of 84 bundles (71 NoCoredump) at once"],
  },
  { on: "a wrong bucket", change: onNode({ ...well, problems: [NO_BUCKET] }), want: [`problem node n1: ${NO_BUCKET}`] },
  {
    on: "a store that went away",
    change: onNode({
      ...well,
      store: { volume: "s3://cores", isUp: false, since: "2026-11-21T07:00:00.000Z", why: "away" },
    }),
    want: ["problem node n1: s3://cores, since 2026-11-21T07:00:00.000Z: away"],
  },
  {
    on: "missing kinds",
    change: { customresourcedefinitions: missing },
    want: ["coredumps", "coredumpquotas"].map((kind) => `problem crds: ${kind}.coredump.fujitsu.com is missing`),
  },
  {
    on: "an agent that may write for other nodes",
    change: { coredumps: {} },
    want: ["problem writing: an agent may register dumps of other nodes"],
  },
  {
    on: "an admin who may not impersonate",
    change: {
      coredumps: new DumpError(
        "API_DENIED",
        'Cannot create coredumps: User "x" cannot impersonate resource "serviceaccounts"',
      ),
    },
    want: ["warning writing: not tried: you may not impersonate an agent"],
  },
  {
    on: "an APIService that is taken away",
    change: { apiservices: missing, configmaps: { data: { "apiservice.json": "{}" } } },
    want: ["problem apiservice: v1alpha1.coredump.fujitsu.com was taken away, because its server is down"],
  },
  {
    on: "an APIService that is down",
    change: { apiservices: { metadata: {}, status: conditions("Available", "False", "no endpoints") } },
    want: ["problem apiservice: v1alpha1.coredump.fujitsu.com is not available: no endpoints"],
  },
  {
    on: "a webhook without servers",
    change: { endpointslices: { items: [] } },
    want: ["problem webhook: no server of it is ready: pods start without their claim's volume"],
  },
  {
    on: "an image that cannot be had",
    change: {
      pods: { items: [pod("a", "coredump-agent", false, { reason: "ImagePullBackOff", message: "not found" })] },
    },
    want: ["problem agent: a: ImagePullBackOff: not found"],
  },
  {
    on: "nobody who leads",
    change: { "leases/coredump-gc": lease("coredump-gc", { holderIdentity: "" }) },
    want: ["problem gc: there is no leader: nothing is decided or collected"],
  },
  {
    on: "no node",
    change: { leases: { items: [] } },
    want: ["problem nodes: no agent has ever said that it serves a node"],
  },
  { on: "another namespace", change: { pods: { items: [] } }, want: [`problem parts: no pod of ours is in ${NS}`] },
])
  test(`check() finds ${on}`, async () => assert.deepEqual(await found(api(change)), want));

for (const [part, rules] of Object.entries(NEEDS))
  test(`NEEDS of ${part} are what install/rbac grants in all namespaces`, () => {
    const file = readFileSync(join(ROOT, "install/rbac", `${part.replace("coredump-", "")}.yaml`), "utf8");
    const roles = parseAllDocuments(file).map((document) => document.toJS());
    const granted = roles
      .filter(({ kind, metadata }) => kind === "ClusterRole" && metadata.name === part)
      .flatMap((role) => role.rules)
      .filter(({ resourceNames }) => resourceNames === undefined)
      .flatMap(({ apiGroups, resources, verbs }) =>
        resources.flatMap((resource: string) => verbs.map((verb: string) => `${verb} ${resource} ${apiGroups}`)),
      );
    const asked = rules.flatMap(([group, resource, verbs]) => verbs.map((verb) => `${verb} ${resource} ${group}`));
    assert.deepEqual(asked.sort(), granted.sort());
  });

test("check() names a right that a part lacks", async () => {
  const denies = ({ body }: KubeRequest) => {
    const { user, resourceAttributes } = (body as { spec: { user: string; resourceAttributes: { verb: string } } })
      .spec;
    return { status: { allowed: !(user.endsWith("-gc") && resourceAttributes.verb === "delete") } };
  };
  const want = ["coredumps", "coredumpendpoints"].map(
    (kind) => `problem rights: coredump-gc may not delete ${kind}.coredump.fujitsu.com`,
  );
  assert.deepEqual(await found(api({ subjectaccessreviews: denies })), want);
});

test("check() goes on where it may not look, and stops where nothing answers", async () => {
  const denied = new DumpError("API_DENIED", "Cannot list pods: forbidden");
  assert.deepEqual(await found(api({ pods: denied })), ["problem parts: Cannot list pods: forbidden"]);
  const away = new DumpError("API_UNAVAILABLE", "Cannot get version: refused");
  assert.deepEqual(await found(api({ version: away })), ["problem api: Cannot get version: refused"]);
});

const atMs = Date.parse("2026-11-21T12:00:00Z");
const iso = (ms: number) => new Date(ms).toISOString();
for (const { on, change, status = well, want } of [
  {
    on: "an agent that is silent",
    change: { renewed: atMs - 90_000 },
    want: ["problem its agent has said nothing for"],
  },
  {
    on: "a clock that is ahead",
    change: { renewTime: iso(atMs + 120_000) },
    want: ["problem its clock is 120 s ahead of"],
  },
  {
    on: "a clock that is a little behind",
    change: { renewTime: iso(atMs - 8000) },
    want: ["warning its clock is 8 s behind"],
  },
  {
    on: "dumps that wait",
    status: { ...well, waiting: 2, oldest: iso(atMs - 7_200_000) },
    want: ["warning 2 dumps wait, the oldest for 2h"],
  },
  {
    on: "an agent of an earlier version",
    status: undefined,
    want: ["warning its agent is of a version that says nothing"],
  },
  { on: "a node that is well", want: ["ok its agent is at work, nothing waits"] },
] as { on: string; change?: { renewed?: number; renewTime?: string }; status?: AgentStatus; want: string[] }[])
  test(`ofNode() finds ${on}`, () => {
    const { renewed = atMs, renewTime = iso(renewed) } = change ?? {};
    const annotations = on.includes("earlier version") ? {} : { [STATUS]: statusText(status) };
    const metadata = {
      name: "coredump-node-n1",
      uid: "u",
      resourceVersion: "1",
      annotations,
      managedFields: [{ time: iso(renewed) }],
    };
    const steps = ofNode({ metadata, spec: { renewTime } } as Lease, NS, atMs);
    assert.equal(steps.length, want.length);
    for (const [at, { level, text }] of steps.entries())
      assert.ok(`${level} ${text}`.startsWith(want[at] ?? "?"), `${level} ${text}`);
  });
