import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DumpError } from "../../src/domain/failures.ts";
import { type Lease, lead } from "../../src/kube/lease.ts";
import { eventually } from "../support/eventually.ts";
import { scriptedHttp } from "./scripted-http.ts";

/** One Lease with versions; `down` makes all requests fail. */
function leaseServer() {
  const server = { lease: undefined as Lease | undefined, down: false, writes: 0 };
  const http = scriptedHttp(({ verb, body }) => {
    if (server.down) return new DumpError("API_UNAVAILABLE", "away");
    if (verb === "get") return server.lease ?? new DumpError("NOT_FOUND", "none");
    const given = body as Lease;
    const known = server.lease?.metadata.resourceVersion;
    if (verb === "create" ? server.lease : given.metadata.resourceVersion !== known)
      return new DumpError("API_CONFLICT", "changed");
    server.lease = { ...given, metadata: { ...given.metadata, uid: "uid", resourceVersion: `${++server.writes}` } };
    return server.lease;
  });
  return { server, http };
}

/** Someone who wants the lead, and who leads at which time. */
function candidate(http: ReturnType<typeof leaseServer>["http"], identity: string, log: string[]) {
  const stop = new AbortController();
  const work = async (signal: AbortSignal) => {
    log.push(`${identity} leads`);
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    log.push(`${identity} ends`);
  };
  const how = { namespace: "ns", lease: "lead", identity, durationS: 1, onProblem: () => undefined };
  const ended = lead(http, how, work, stop.signal);
  return {
    async stop() {
      stop.abort();
      await ended;
    },
  };
}

test("lead() gives the lead to one, and to the next as soon as that one is stopped", async () => {
  const { server, http } = leaseServer();
  const log: string[] = [];
  const a = candidate(http, "a", log);
  await eventually(() => assert.deepEqual(log, ["a leads"]));
  const b = candidate(http, "b", log);
  await sleep(1500); // longer than the lease lasts unrenewed
  assert.deepEqual(log, ["a leads"]);
  await a.stop();
  await eventually(() => assert.deepEqual(log, ["a leads", "a ends", "b leads"]));
  assert.equal(server.lease?.spec?.leaseTransitions, 1);
  await b.stop();
  assert.equal(server.lease?.spec?.holderIdentity, "");
});

test("lead() ends before anybody else can lead when it cannot renew", async () => {
  const { server, http } = leaseServer();
  const log: string[] = [];
  const a = candidate(http, "a", log);
  await eventually(() => assert.deepEqual(log, ["a leads"]));
  server.down = true;
  await eventually(() => assert.deepEqual(log, ["a leads", "a ends"]));
  server.down = false;
  await eventually(() => assert.deepEqual(log, ["a leads", "a ends", "a leads"])); // nobody else wanted it
  await a.stop();
});

test("lead() ends when another has taken the lease", async () => {
  const { server, http } = leaseServer();
  const log: string[] = [];
  const a = candidate(http, "a", log);
  await eventually(() => assert.deepEqual(log, ["a leads"]));
  assert.ok(server.lease);
  server.lease = {
    metadata: { ...server.lease.metadata, resourceVersion: "other" },
    spec: { ...server.lease.spec, holderIdentity: "b" },
  };
  await eventually(() => assert.equal(log[1], "a ends"));
  await a.stop();
});

test("lead() says at each look that goes well that it did, also to one that stands by", async (t) => {
  const { server, http } = leaseServer();
  const first = candidate(http, "a", []);
  await eventually(() => assert.equal(server.lease?.spec?.holderIdentity, "a"));
  const told: unknown[] = [];
  const stop = new AbortController();
  t.after(() => Promise.all([first.stop(), stop.abort()]));
  const how = {
    namespace: "ns",
    lease: "lead",
    identity: "b",
    durationS: 1,
    onProblem: (it: unknown) => told.push(it),
  };
  const ended = lead(http, how, async () => undefined, stop.signal);
  server.down = true;
  await eventually(() => assert.ok(told.at(-1) instanceof DumpError));
  server.down = false;
  await eventually(() => assert.equal(told.at(-1), undefined));
  assert.equal(server.lease?.spec?.holderIdentity, "a");
  stop.abort();
  await ended;
});

test("lead() takes over from one that died, whatever its clock said", async () => {
  const { server, http } = leaseServer();
  const future = "2099-01-01T00:00:00.000000Z";
  server.lease = {
    metadata: { name: "lead", uid: "uid", resourceVersion: "x" },
    spec: { holderIdentity: "dead", leaseDurationSeconds: 1, renewTime: future, acquireTime: future },
  };
  const log: string[] = [];
  const a = candidate(http, "a", log);
  await eventually(() => assert.deepEqual(log, ["a leads"]));
  await a.stop();
});
