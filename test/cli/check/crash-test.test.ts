/** `helm test` says why no dump came: what the node's agent says is wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { crashTest } from "../../../src/cli/check/crash-test.ts";
import { type AgentStatus, STATUS, statusIn, statusText } from "../../../src/cluster/policy/agent-status.ts";
import { DumpError } from "../../../src/domain/failures.ts";
import { scriptedHttp } from "../../kube/scripted-http.ts";

const NONE = { problems: [], waiting: 0 };
const AWAY = { volume: "s3://cores", isUp: false, since: "2026-11-21T07:00:00.000Z", why: "no such bucket" };
const VICTIM = [process.execPath, "-e", "console.log('ready'); setTimeout(() => {}, 60_000)"] as const;

for (const { on, status, want } of [
  {
    on: "its problems",
    status: { ...NONE, problems: ["core_pattern is |/x: not ours"] },
    want: /no Coredump of pod p came; the agent of node n says: core_pattern is \|\/x: not ours$/,
  },
  { on: "its store's words", status: { ...NONE, store: AWAY }, want: /the agent of node n says: no such bucket$/ },
  { on: "nothing", status: NONE, want: /no Coredump of pod p came$/ },
  { on: "nothing, for there is none", status: undefined, want: /came; no agent has said that it serves node n$/ },
])
  test(`crashTest() that sees no dump says what the agent says: ${on}`, async () => {
    const http = scriptedHttp(({ resource }) => {
      if (resource === "coredumps") return { items: [] };
      if (status === undefined) return new DumpError("NOT_FOUND", "none");
      return { metadata: { annotations: { [STATUS]: statusText(status) } } };
    });
    const order = { namespace: "ns", pod: "p", node: "n", until: "Saved" } as const;
    await assert.rejects(crashTest(http, order, VICTIM, AbortSignal.abort()), {
      code: "DUMP_NOT_FOUND",
      message: want,
    });
    assert.equal(http.asked.at(-1)?.path, "/apis/coordination.k8s.io/v1/namespaces/ns/leases/coredump-node-n");
  });

test("statusIn() reads what statusText() wrote, and nothing out of nonsense", () => {
  const status: AgentStatus = { problems: ["a"], store: AWAY, waiting: 3, oldest: "2026-11-21T07:00:00.000Z" };
  assert.deepEqual(statusIn({ [STATUS]: statusText(status) }), status);
  assert.deepEqual(statusIn({ [STATUS]: statusText(NONE) }), NONE);
  const long = statusText({ ...NONE, problems: Array.from({ length: 100 }, () => "x".repeat(10_000)) });
  assert.ok(long.length < 8192, `${long.length}`);
  for (const text of ["", "null", "{}", '{"problems":[1]}', "[", '"x"'])
    assert.equal(statusIn({ [STATUS]: text }), undefined);
  assert.equal(statusIn(undefined), undefined);
});
