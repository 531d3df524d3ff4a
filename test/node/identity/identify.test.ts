import assert from "node:assert/strict";
import { test } from "node:test";
import { DumpError } from "../../../src/domain/failures.ts";
import { identifyByApi, identifyQuickly } from "../../../src/node/identity/identify.ts";
import type { ContainerFacts, ContainerRuntime, Identification } from "../../../src/node/identity/runtime.ts";
import { captured, NO_PLACES } from "./fixture.ts";

const OUTER = "1577f81bb6ba1332e7153d8bab33c0390efddf4a512f785bb9ca26a77522b7ed";
const forever = (): AbortSignal => new AbortController().signal;
const never = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

const runtime = (address: string, inspect: ContainerRuntime["inspect"]): ContainerRuntime => ({
  source: "cri",
  address,
  inspect,
});
const hanging = runtime("/run/hangs.sock", (_, signal) => never(signal));
const ignorant = runtime("/run/other.sock", async () => undefined);
const broken = runtime("/run/broken.sock", async () => {
  throw new DumpError("RUNTIME_UNAVAILABLE", "Cannot ask the run-time at /run/broken.sock: nothing listens there");
});
const knowing = (facts: ContainerFacts): ContainerRuntime =>
  runtime("/run/knows.sock", async (id) => (id === facts.container.id ? facts : undefined));

/** A pod's crash: its cgroup, what the state files say, and what an engine that knows it would answer. */
function crash() {
  using from = captured("containerd-2-cgroupfs");
  const quick = identifyQuickly(from.cgroup, {} as never, from.places);
  const { identity, ...known } = quick;
  const facts = {
    ...known,
    labels: { app: "web" },
    logPath: "/var/log/pods/x/app/3.log",
    cgroupPath: identity.cgroup,
  } as ContainerFacts;
  return { quick, facts, cgroup: from.cgroup, id: from.id };
}

const byApi = (quick: Identification, cgroup: Uint8Array, runtimes: ContainerRuntime[], signal = forever()) =>
  identifyByApi(quick, cgroup, {} as never, signal, runtimes);

test("identifyByApi() confirms the quick answer and adds labels and log", async () => {
  const { quick, facts, cgroup } = crash();
  const found = await byApi(quick, cgroup, [knowing(facts)]);
  assert.deepEqual(found.pod, quick.pod);
  assert.deepEqual(found.labels, { app: "web" });
  assert.equal(found.logPath, "/var/log/pods/x/app/3.log");
  assert.deepEqual(found.identity, { ...quick.identity, source: "cri", confirmed: true, problem: null });
});

test("identifyByApi() does not wait for an engine that hangs when another has answered", async () => {
  const { quick, facts, cgroup } = crash();
  assert.equal((await byApi(quick, cgroup, [hanging, broken, knowing(facts)])).identity.confirmed, true);
});

test("identifyByApi() finds the owner that no state file knew", async () => {
  const { facts, cgroup } = crash();
  const quick = identifyQuickly(cgroup, {} as never, NO_PLACES);
  const found = await byApi(quick, cgroup, [knowing(facts)]);
  assert.deepEqual([found.owner, found.pod?.name, found.identity.confirmed], ["pod", "web-0", true]);
});

test("identifyByApi() lets the engine win where it names another pod, says so, and does not call it confirmed", async () => {
  const { quick, facts, cgroup } = crash();
  const other = { ...facts, pod: { ...facts.pod, namespace: "bank" } } as ContainerFacts;
  const { pod, identity } = await byApi(quick, cgroup, [knowing(other)]);
  assert.equal(pod?.namespace, "bank");
  assert.equal(identity.confirmed, false);
  assert.match(identity.problem ?? "", /The state files named .*shop\/web-0.*, the run-time names .*bank\/web-0/);
});

const failures = [
  { on: "is absent", runtimes: [], says: /no engine's socket was found on this node/ },
  { on: "refuses", runtimes: [broken], says: /\/run\/broken\.sock: nothing listens there/ },
  { on: "hangs", runtimes: [hanging], says: /\/run\/hangs\.sock: no answer in time/ },
  { on: "does not know it", runtimes: [ignorant], says: /no engine on this node knows container [0-9a-f]{12}/ },
  { on: "throws what it should not", runtimes: [runtime("x", () => Promise.reject("oops"))], says: /oops/ },
];
for (const { on, runtimes, says } of failures) {
  test(`identifyByApi() gives the quick answer back, with the reason, when the engine ${on}`, async () => {
    const { quick, cgroup } = crash();
    const once = await byApi(quick, cgroup, runtimes, AbortSignal.timeout(100));
    assert.deepEqual({ ...once, identity: { ...once.identity, problem: null } }, quick);
    assert.match(once.identity.problem ?? "", says);
    const again = await byApi(once, cgroup, runtimes, AbortSignal.timeout(100));
    assert.equal(again.identity.problem, once.identity.problem);
  });
}

test("identifyByApi() with an aborted signal asks nobody and states that", async () => {
  const { quick, cgroup } = crash();
  const found = await byApi(quick, cgroup, [hanging], AbortSignal.abort());
  assert.match(found.identity.problem ?? "", /no answer in time/);
});

test("identifyByApi() asks for the innermost container first, and asks who failed once no more", async () => {
  const { quick, facts, cgroup, id } = crash();
  const asked: string[] = [];
  const counting = runtime("x", async (each) => {
    asked.push(each);
    throw new Error("down");
  });
  const nested = Buffer.from(cgroup.toString().replaceAll(`/${id}`, `/${OUTER}/docker/${id}`));
  await byApi(quick, nested, [counting]);
  assert.deepEqual(asked, [id]);
  const outer = {
    ...facts,
    owner: "docker",
    pod: null,
    container: { ...facts.container, id: OUTER },
    cgroupPath: null,
  };
  const found = await byApi(identifyQuickly(nested, {} as never, NO_PLACES), nested, [
    knowing(outer as ContainerFacts),
  ]);
  assert.equal(found.container?.id, OUTER);
});

test("identifyByApi() does not believe an engine's word on another cgroup", async () => {
  const { quick, facts, cgroup } = crash();
  const found = await byApi(quick, cgroup, [knowing({ ...facts, cgroupPath: "/elsewhere" })]);
  assert.equal(found.identity.confirmed, false);
  assert.match(found.identity.problem ?? "", /whose own cgroup is another one \(\/elsewhere\)/);
});

test("identifyByApi() asks nobody about a host process", async () => {
  const cgroup = Buffer.from("0::/system.slice/ssh.service\n");
  const quick = identifyQuickly(cgroup, {} as never, NO_PLACES);
  assert.equal(await byApi(quick, cgroup, [hanging]), quick);
});
