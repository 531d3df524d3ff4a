/** The agent's parts that are no steps: queue, socket, lost dumps, events. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { PodRecord } from "../../../src/cluster/registration/coredump.ts";
import { podEvent } from "../../../src/cluster/registration/events.ts";
import { strayedFrom } from "../../../src/cluster/steps/changes.ts";
import { missingFrom, missingWords, tellMissing } from "../../../src/cluster/steps/missing.ts";
import { listenForHandlers, tellAgent } from "../../../src/cluster/steps/socket.ts";
import { type Crash, shortened } from "../../../src/domain/crash.ts";
import { DumpError, reasonOf } from "../../../src/domain/failures.ts";
import type { State } from "../../../src/domain/states.ts";
import type { Coredump } from "../../../src/kube/coredump.ts";
import { openCache } from "../../../src/node/cache/cache.ts";
import type { KernelLog, KernelRefusal } from "../../../src/node/kernel/kmsg.ts";
import { recordLost } from "../../../src/roles/agent/lost.ts";
import { readKernelLog } from "../../../src/roles/agent/node.ts";
import { podRecord } from "../../cluster/registration/records.ts";
import { testSpool } from "../../node/cache/caches.ts";
import { anyCrash } from "../../support/any-crash.ts";
import { tempDir } from "../../support/tmp.ts";

const ID = "01939b5a-7c11-7e21-9c3d-3f9c2a71b0de";
const NOW = new Date("2026-11-21T07:21:04.000Z");

test("strayedFrom() finds what no watch has told of: other states, and objects that are gone", () => {
  const cluster = { name: "x", objectUid: "x", resourceVersion: "1", namespaceUid: "x", crdUid: "x", clusterUid: "x" };
  const record = (state: State, bound = true) => podRecord({ state, cluster: bound ? cluster : null });
  const [same, allowed, retired, gone, told, unbound] = [
    record("Created"),
    record("Created"),
    record("Saved"),
    record("Allowed"),
    record("Denied"),
    record("Captured", false),
  ] as const;
  const object = ({ id }: PodRecord, state: State) => ({ spec: { id }, status: { state } }) as Coredump;
  const listed = [object(same, "Created"), object(allowed, "Allowed"), object(retired, "Deleted")];
  assert.deepEqual(strayedFrom([same, allowed, retired, gone, told, unbound], listed), {
    changed: [allowed.id, retired.id],
    gone: [gone.id],
  });
});

test("tellAgent() is answered by an agent that lives, and by no other", async () => {
  using dir = tempDir();
  assert.equal(await tellAgent(dir.path, ID), false);
  const heard: string[] = [];
  {
    await using _agent = await listenForHandlers(dir.path, (id) => heard.push(id));
    assert.equal(await tellAgent(dir.path, ID), true);
    assert.equal(await tellAgent(dir.path, "../../etc"), true); // an agent is there; what was said is nonsense
  }
  assert.deepEqual(heard, [ID]);
  assert.equal(await tellAgent(dir.path, ID), false);
});

test("recordLost() makes one record of each line that is new, whoever reads it how often", async () => {
  using at = testSpool();
  const line = (seq: number): KernelRefusal => ({
    ...{ seq, uptimeUsec: seq, time: NOW, pid: 7, hostPid: null, comm: "a\u001b", cause: "pipe-limit" },
    text: "over core_pipe_limit",
  });
  const kernel = (boot: string, ...refusals: KernelRefusal[]) => ({
    boot,
    read: () => ({ refusals, incomplete: false }),
  });
  assert.deepEqual(await recordLost(at.spool, "node-1", kernel("b1", line(1))), []); // before there was an agent
  assert.equal((await recordLost(at.spool, "node-1", kernel("b1", line(1), line(2)))).length, 1);
  assert.equal((await recordLost(at.spool, "node-1", kernel("b1", line(1), line(2)))).length, 0);
  assert.equal((await recordLost(at.spool, "node-1", kernel("b2", line(1)))).length, 1); // another boot's first line
  const records = openCache(at.spool.dir).records();
  assert.deepEqual(
    records.map(({ state, reason }) => `${state} ${reason}`),
    ["Lost KernelGaveUp", "Lost KernelGaveUp"],
  );
});

test("recordLost() tells lines without numbers apart by the log's clock, and goes on by the other source", async () => {
  using at = testSpool();
  const line = (seq: number | null, uptimeUsec: number): KernelRefusal => ({
    ...{ seq, uptimeUsec, time: NOW, pid: 7, hostPid: null, comm: "a", cause: "pipe-limit", text: "over" },
  });
  const made = async (...refusals: KernelRefusal[]) =>
    (await recordLost(at.spool, "node-1", { boot: "b", read: () => ({ refusals, incomplete: false }) })).length;
  const counts = [await made(line(null, 10)), await made(line(null, 10), line(null, 20)), await made(line(null, 20))];
  assert.deepEqual(counts, [0, 1, 0]);
  assert.deepEqual([await made(line(5, 30)), await made(line(null, 30)), await made(line(null, 40))], [1, 0, 1]);
});

test("readKernelLog() takes a log that is not to be had as a state, and a disk that is full as a failure", async () => {
  using at = testSpool();
  const said: string[] = [];
  const diary = {
    advanced: () => undefined,
    readsKernelLog: (why: string | undefined) => said.push(why ?? "readable"),
    trouble: (_: string, error: unknown) => said.push(error === undefined ? "well" : reasonOf(error)),
  };
  const errors = ["EPERM", "ENOENT", "ENOSYS"].map((code) => Object.assign(new Error(code), { code }));
  const stop = new AbortController();
  const log = {
    boot: "b",
    read: (): KernelLog => {
      stop.abort();
      throw new Error("disk");
    },
    [Symbol.dispose]: () => undefined,
  };
  const open = () => {
    const error = errors.shift();
    if (error) throw error;
    return log;
  };
  await readKernelLog(openCache(at.spool.dir), "node-1", diary, stop.signal, { open, lookMs: 1 });
  assert.deepEqual(said, ["EPERM", "ENOENT", "ENOSYS", "readable", "disk"]);
});

test("podEvent() says who, why and how much, or why nothing was kept", () => {
  const signal = { number: 11, name: "SIGSEGV", code: 1, codeText: "address not mapped", faultAddress: "0x0" };
  const kept = podEvent(podRecord({ signal, heldMs: 300 }), "web-0-nginx-1", NOW);
  assert.equal(
    kept.message,
    "nginx (container nginx) was killed by SIGSEGV at address 0x0; core of 4 KiB captured in 0.3s, complete. See: kubectl coredump info web-0-nginx-1",
  );
  const denied = podEvent(podRecord({ state: "Denied", message: "Quota exceed" }), "x", NOW);
  assert.deepEqual(
    [kept.reason, denied.reason, kept.metadata.name === denied.metadata.name],
    ["CoreDumped", "CoreDumpDenied", false],
  );
  assert.match(denied.message, /its core was not kept: Quota exceed\./);
});

test("podEvent() cuts a long stack, not what became of the dump and where to look", () => {
  const crash = fc.sample(anyCrash, { numRuns: 50, seed: 1 }).map(shortened);
  const name = "std::__detail::_Map_base<".repeat(6);
  const frame = { pc: "0x1", module: null, offset: null, functionOffset: null, file: null, line: null, inlined: false };
  const native = { ...frame, function: name, kind: "native", trust: "cfi" } as const;
  const long = { ...crash[0], title: name, stack: Array.from({ length: 5 }, () => native) } as Crash;
  for (const each of [long, ...crash]) {
    const { message } = podEvent(podRecord({ crash: each, dumpable: 1, heldMs: 300 }), "web-0-nginx-1", NOW);
    assert.match(message, /; core of 4 KiB captured in 0\.3s, complete\. See: kubectl coredump info web-0-nginx-1$/);
    assert.ok(message.length <= 1024, `${message.length}`);
  }
});

test("missingFrom() finds what waits for a core of a former dump directory; tellMissing() tells its owner, once", async () => {
  const words = missingWords("/var/coredump");
  const object = (name: string, id: string, state: State, more: object = {}) =>
    ({
      metadata: { name, namespace: "shop", uid: name, resourceVersion: "1", ...more },
      spec: { id, node: "node-1" },
      status: { state },
    }) as Coredump;
  const coredumps = [
    object("here", ID, "Allowed"),
    object("saved", "other", "Saved"),
    object("going", "other", "Allowed", { deletionTimestamp: "2026-11-21T07:21:04Z" }),
    object("coming", "other", "Capturing"), // its handler may be at work
    object("left", "other", "Allowed"),
    object("changed", "other", "Created"),
    object("told", "other", "FailedToSave"),
  ];
  const told = coredumps.map((each) =>
    each.metadata.name === "told" ? { ...each, status: { ...each.status, message: words } } : each,
  );
  const missing = missingFrom([{ ...podRecord(), id: ID }], told, words);
  assert.deepEqual(
    missing.map(({ metadata }) => metadata.name),
    ["left", "changed"],
  );
  const noted: string[] = [];
  const note = async ({ metadata }: Coredump, message: string) => {
    if (metadata.name === "left") throw new DumpError("API_CONFLICT", "changed");
    noted.push(`${metadata.name}: ${message}`);
  };
  await tellMissing({ note }, missing, words, new AbortController().signal);
  assert.deepEqual(noted, [`changed: ${words}`]);
});
