/** What is wrong with a role, and when it no longer is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Logger, pino } from "pino";
import { DumpError } from "../../src/domain/failures.ts";
import { underLease } from "../../src/roles/role.ts";
import { RoleLog } from "../../src/roles/role-log.ts";
import { scriptedHttp } from "../kube/scripted-http.ts";
import { eventually } from "../support/eventually.ts";

const silent: Logger = pino({ level: "silent" });
const AWAY = new DumpError("API_UNAVAILABLE", "Cannot get leases: away");

test("RoleLog keeps trouble until it is over, and forgets a mishap after ten minutes", () => {
  let nowMs = 0;
  const diary = new RoleLog(
    silent,
    () => undefined,
    () => nowMs,
  );
  diary.trouble("watch", AWAY);
  diary.mishap("event", new DumpError("API_DENIED", "Cannot create events: no"));
  assert.deepEqual(diary.problems(), ["Cannot get leases: away", "Cannot create events: no"]);
  nowMs = 600_000;
  assert.deepEqual(diary.problems(), ["Cannot get leases: away"]);
  assert.ok(diary.isTroubled("watch") && !diary.isTroubled("event"));
  diary.trouble("watch", undefined);
  assert.deepEqual(diary.problems(), []);
});

test("RoleLog.state() is told once and when it changes, and is neither failure nor problem", () => {
  const [said, failures]: [string[], string[]] = [[], []];
  const log = pino({ base: null }, { write: (line) => said.push(JSON.parse(line).msg) });
  const diary = new RoleLog(log, (code) => failures.push(code));
  for (const words of ["no log here", "no log here", undefined, undefined]) diary.state("kernel log", words);
  assert.deepEqual([said, failures, diary.problems()], [["no log here", "Well again"], [], []]);
});

for (const isLeader of [false, true])
  test(`underLease() is ready again after it missed a look at the Lease: ${isLeader ? "as the leader" : "standing by"}`, async (t) => {
    let isAway = false;
    const metadata = { name: "l", uid: "uid", resourceVersion: "1" };
    const spec = { leaseDurationSeconds: 3600, ...(!isLeader && { holderIdentity: "another" }) };
    const http = scriptedHttp(({ verb, body }) => (isAway ? AWAY : verb === "get" ? { metadata, spec } : (body ?? {})));
    const diary = new RoleLog(silent, () => undefined);
    const stop = new AbortController();
    t.after(() => stop.abort());
    const led = {
      http,
      log: diary,
      settings: { systemNamespace: "ns", leaseMs: 1000 },
      metrics: { leading: { set: () => undefined } },
    };
    const work = async (signal: AbortSignal) =>
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    const ended = underLease(led as never, "l", work, stop.signal);
    isAway = true;
    await eventually(() => assert.deepEqual(diary.problems(), ["Cannot get leases: away"]));
    isAway = false;
    await eventually(() => assert.deepEqual(diary.problems(), []));
    stop.abort();
    await ended;
  });
