/** What owners are told of a crash and of a store that fails, and when. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { podEvent } from "../../../src/cluster/registration/events.ts";
import { eventRecorder } from "../../../src/cluster/steps/event-recorder.ts";
import { advanceDump } from "../../../src/cluster/steps/steps.ts";
import type { DumpRecord } from "../../../src/domain/dump.ts";
import { DumpError } from "../../../src/domain/failures.ts";
import { writeRecord } from "../../../src/node/cache/record.ts";
import { podRecord } from "../../cluster/registration/records.ts";
import { scriptedHttp } from "../../kube/scripted-http.ts";
import { scene } from "./fakes.ts";

const ID = "01939b5a-7c11-7e21-9c3d-3f9c2a71b0de";
const CRASHED = Date.parse("2026-11-21T07:21:03.512Z");

/** An agent, which sees decisions; `afterMs` the crash. */
function agentAt(at: ReturnType<typeof scene>, afterMs: number, change = {}) {
  const context = { ...at.context, seesDecisions: true, now: () => new Date(CRASHED + afterMs), ...change };
  const step = () => advanceDump({ ...context, entry: at.entry, mayShip: true, signal: new AbortController().signal });
  return { context, step };
}

for (const [decision, told] of [
  ["Denied", ["Denied"]],
  ["Allowed", ["Allowed"]],
] as const)
  test(`advanceDump() tells once what became of a dump that is ${decision} soon`, async () => {
    using at = scene();
    const { step } = agentAt(at, 1000);
    await step();
    await step();
    assert.deepEqual(at.told, [], "it is not known yet what becomes of it");
    at.cluster.judge(decision, "Quota exceed");
    await step();
    await step();
    assert.deepEqual(new Set(at.told), new Set(told));
  });

test("advanceDump() tells of a crash that nobody decides about, and of one that gave way meanwhile", async () => {
  using undecided = scene();
  await agentAt(undecided, 1000).step();
  await agentAt(undecided, 31_000).step();
  assert.deepEqual(undecided.told, ["Created"]);
  using evicted = scene();
  await agentAt(evicted, 1000).step();
  const record = evicted.record() as DumpRecord;
  writeRecord(evicted.entry, {
    ...record,
    state: "Evicted",
    reason: null,
    core: { ...record.core, path: null },
  });
  await agentAt(evicted, 2000).step();
  assert.deepEqual(evicted.told, ["Evicted"]);
});

test("podEvent() says that a decision is waited for", () => {
  const { message } = podEvent(podRecord({ state: "Created", heldMs: 300 }), "x", new Date(CRASHED));
  assert.match(message, /captured in 0\.3s, complete; it waits for the quota's decision\. See: /);
});

test("eventRecorder() sends the event of a dump once, and once more when it was denied later", async () => {
  const http = scriptedHttp(() => ({}));
  const events = eventRecorder(
    http,
    "node-1",
    () => undefined,
    () => new Date(CRASHED),
  );
  for (const state of ["Created", "Created", "Denied", "Denied"] as const)
    await events.crash({ ...podRecord(), id: ID, state }, "x");
  assert.deepEqual(
    http.asked.map(({ body }) => (body as { reason: string }).reason),
    ["CoreDumped", "CoreDumpDenied"],
  );
});

const AWAY = { on: "a store that is away", code: "STORE_UNAVAILABLE", hint: "wait" } as const;
const NO_BUCKET = {
  on: "a wrong bucket",
  code: "STORE_MISSING",
  hint: "create the bucket, or correct --store",
} as const;
for (const { on, code, hint, want } of [
  {
    ...AWAY,
    want: "Cannot put k into s3://cores: why, since 2026-11-21T07:00:00.000Z; the node goes on trying",
  },
  {
    ...NO_BUCKET,
    want: "Cannot put k into s3://cores: why, since 2026-11-21T07:00:00.000Z; create the bucket, or correct --store; then the node goes on",
  },
])
  test(`advanceDump() says FailedToSave at the first failure, in the words of ${on}`, async () => {
    using at = scene();
    const ship = async () => {
      throw new DumpError(code, "Cannot put k into s3://cores: why", { hint });
    };
    const { step } = agentAt(at, 1000, { ship, storeDownSince: () => "2026-11-21T07:00:00.000Z" });
    await step();
    at.cluster.judge("Allowed");
    await assert.rejects(step(), { code });
    const { state, message } = at.cluster.only?.status ?? {};
    assert.deepEqual([state, message], ["FailedToSave", want]);
  });
