/** What is remembered, asked and held for clients has a bound, whoever asks for how much. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import type { FastifyRequest } from "fastify";
import { Authentication } from "../../../src/api/server/authentication.ts";
import { Authorization } from "../../../src/api/server/authorization.ts";
import { ClusterTrust } from "../../../src/api/server/cluster-trust.ts";
import { guardOf } from "../../../src/api/server/guard.ts";
import { Places } from "../../../src/api/server/places.ts";
import { StatusError } from "../../../src/api/server/status-error.ts";
import { TimedCache } from "../../../src/api/server/timed-cache.ts";
import { type Answer, scriptedHttp } from "../../kube/scripted-http.ts";
import { eventually } from "../../support/eventually.ts";
import { Api, IN_TEAM } from "./api.ts";

const code = (wanted: number) => (error: unknown) => error instanceof StatusError && error.status.code === wanted;

test("TimedCache: who asks at once gets one answer; failures are asked again", async () => {
  let asked = 0;
  const cache = new TimedCache<number>(() => 60_000);
  const ask = async () => ++asked;
  assert.deepEqual(await Promise.all([cache.get("a", ask), cache.get("a", ask)]), [1, 1]);
  await assert.rejects(cache.get("b", () => Promise.reject(new Error("no"))));
  assert.deepEqual([await cache.get("b", ask), await cache.get("a", ask)], [2, 1]);
});

test("TimedCache: an answer counts for its time, and is forgotten then though nobody asks", async () => {
  let asked = 0;
  const cache = new TimedCache<number>((answer) => (answer === 3 ? 60_000 : 1));
  const ask = async () => ++asked;
  await cache.get("a", ask);
  await eventually(async () => assert.ok((await cache.get("a", ask)) > 1));
  asked = 2;
  await cache.get("long", ask);
  await eventually(async () => assert.equal(cache.size, 1));
  assert.equal(await cache.get("long", ask), 3);
});

test("TimedCache: large answers are few, and there are never many", async () => {
  const large = new TimedCache<string>(() => 60_000);
  for (let at = 0; at < 100; at++) await large.get(`${at}`, async () => "x".repeat(1 << 20));
  assert.ok(large.size > 0 && large.size < 10, `${large.size}`);
  const small = new TimedCache<boolean>(() => 60_000);
  for (let at = 0; at < 20_000; at++) await small.get(`${at}`, async () => false);
  assert.ok(small.size < 17_000, `${small.size}`);
});

test("Places: no more than may be, of one and of all; what is given back is free once", () => {
  const places = new Places("things", 3, 2);
  const first = places.take("a");
  places.take("a");
  assert.throws(() => places.take("a"), code(429));
  places.take("b");
  assert.throws(() => places.take("c"), code(429));
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  places.take("c");
  assert.throws(() => places.take("b"), code(429));
});

const user = { name: "alice", groups: [], extra: {} };

test("Authorization remembers refusals of long paths by a digest, and repeats no long reason", async () => {
  const reason = "r".repeat(1 << 20);
  const kube = scriptedHttp(() => ({ status: { allowed: false, reason } }));
  const authorization = new Authorization(kube);
  for (const path of ["/a", "/a", "/b"])
    await assert.rejects(
      authorization.assertMay(user, { verb: "get", path }),
      (error: Error) => code(403)(error) && error.message.length < 1000,
    );
  assert.equal(kube.asked.length, 2);
});

const asking = (config: object, more: object = {}): FastifyRequest => {
  const raw = { headers: { authorization: "Bearer t" }, socket: { remoteAddress: "10.0.0.1" } };
  return { routeOptions: { config }, raw, query: {}, params: {}, method: "GET", url: "/", ...more } as never;
};
const reviews = (allowed: boolean) => (request: { resource: string }) =>
  request.resource === "tokenreviews"
    ? { status: { authenticated: true, user: { username: "alice" } } }
    : { status: { allowed } };
const guardWith = (answer: (request: { resource: string }) => Answer) => {
  const kube = scriptedHttp(answer);
  const trust = new ClusterTrust(() => undefined);
  return { kube, guard: guardOf(new Authentication(trust, kube), new Authorization(kube)) };
};

test("guardOf() refuses who may not before a label selector is read", async () => {
  const access = { verb: "list", resource: "coredumpendpoints" };
  const { guard } = guardWith(reviews(false));
  await assert.rejects(guard.check(asking({ access }, { query: { labelSelector: "=,=" } })), code(403));
});

test("guardOf() asks nobody about a path that is longer than any", async () => {
  const { kube, guard } = guardWith(reviews(true));
  await assert.rejects(guard.check(asking({}, { url: `/${"a".repeat(250_000)}` })), code(404));
  assert.deepEqual(
    kube.asked.map(({ resource }) => resource),
    ["tokenreviews"],
  );
});

test("Authentication has no more than a few tokens of one address reviewed at once", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const kube = scriptedHttp(async () => {
    await promise;
    return { status: { authenticated: true, user: { username: "alice" } } };
  });
  const authentication = new Authentication(new ClusterTrust(() => undefined), kube);
  const from = (remoteAddress: string, token: string) =>
    authentication.userOf({
      headers: { authorization: `Bearer ${token}` },
      socket: { remoteAddress },
    } as never as IncomingMessage);
  const many = Array.from({ length: 100 }, (_, at) => from("10.0.0.1", `t${at}`));
  const other = from("10.0.0.2", "mine");
  resolve();
  const settled = await Promise.allSettled(many);
  assert.equal(settled.filter(({ status }) => status === "fulfilled").length, 8);
  for (const each of settled) if (each.status === "rejected") assert.ok(code(429)(each.reason), String(each.reason));
  assert.equal((await other).name, "alice");
});

test("connections of one stranger's address are few, and each that ends makes room", async () => {
  await using api = new Api();
  const port = await api.listen();
  const open = new Set<Socket>();
  const dial = () => {
    const socket = connect(port, "127.0.0.1").on("error", () => undefined);
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    return socket;
  };
  for (let at = 0; at < 100; at++) dial();
  await eventually(async () => assert.equal(open.size, 64));
  const [first] = open;
  first?.destroy();
  await eventually(async () => {
    const next = dial();
    await once(next, "connect");
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(open.has(next));
  });
  for (const socket of open) socket.destroy();
});

test("large bodies of one user are few at once, others' are taken", async () => {
  await using api = new Api();
  const port = await api.listen();
  const post = (name: string) => {
    const headers = { "content-length": 3 << 20, "content-type": "application/json", "x-test-user": name };
    const sent = request({
      port,
      host: "127.0.0.1",
      path: IN_TEAM,
      method: "POST",
      headers,
      agent: false,
      rejectUnauthorized: false,
    });
    sent.on("error", () => undefined).flushHeaders();
    return sent;
  };
  const held = Array.from({ length: 4 }, () => post("alice"));
  await eventually(async () => {
    const fifth = post("alice");
    held.push(fifth);
    const [answer] = await once(fifth, "response", { signal: AbortSignal.timeout(500) });
    assert.equal(answer.statusCode, 429);
  });
  const bobs = post("bob");
  bobs.end("{".padEnd(3 << 20));
  assert.equal((await once(bobs, "response"))[0].statusCode, 400);
  for (const each of held) each.destroy();
});

test("Warning headers stay small, whatever the fields are called", async () => {
  await using api = new Api();
  const fields = Array.from({ length: 100 }, (_, at) => [`"${at}`.repeat(5000), 1]);
  const { code: status, headers } = await api.ask("POST", IN_TEAM, {
    body: { metadata: { name: "a", ...Object.fromEntries(fields) }, spec: { poduid: "u" } },
  });
  assert.equal(status, 201);
  const words = [headers["warning"]].flat();
  assert.equal(words.length, 10);
  assert.ok(words.join().length < 8192);
});

test("a namespace has so many endpoints and so many bytes, and deleting makes room", async () => {
  await using api = new Api();
  const annotations = { large: "x".repeat(250_000) };
  let last = await api.create({ name: "n0", annotations });
  let count = 1;
  for (; last.code === 201 && count < 100; count++) last = await api.create({ name: `n${count}`, annotations });
  assert.equal(last.status, "403 Forbidden");
  assert.match(last.json["message"], /exceeded limit of the namespace: 6\d of 5000 objects, \d+ of 16777216 bytes/);
  const grown = await api.ask("PATCH", `${IN_TEAM}/n0`, {
    body: { metadata: { labels: { a: "b".repeat(60) }, annotations: { b: "x".repeat(10_000) } } },
  });
  assert.equal(grown.status, "403 Forbidden");
  assert.equal((await api.ask("PATCH", `${IN_TEAM}/n0`, { body: { metadata: { annotations: null } } })).code, 200);
  assert.equal((await api.ask("DELETE", `${IN_TEAM}/n1`)).code, 200);
  await eventually(async () => assert.equal((await api.create({ name: "again", annotations })).code, 201));
});

test("lists and maps of an object have a length; what was longer before may shrink, and go", async () => {
  await using api = new Api();
  const finalizers = Array.from({ length: 101 }, (_, at) => `example.com/f${at}`);
  assert.equal((await api.create({ name: "a", finalizers })).status, "422 Invalid");
  const labels = Object.fromEntries(Array.from({ length: 501 }, (_, at) => [`l${at}`, ""]));
  assert.equal((await api.create({ name: "a", labels })).status, "422 Invalid");
  const { json } = await api.create({ name: "a" });
  const key = "/registry/fujitsu.com/coredumpendpoints/team/a";
  const { resourceVersion, ...metadata } = json.metadata;
  const many = Array.from({ length: 40_000 }, (_, at) => `example.com/finalizer-${at}`);
  const old = JSON.stringify({ ...json, metadata: { ...metadata, finalizers: many } });
  await api.storage.update(key, old, BigInt(resourceVersion));
  const remove = [{ op: "remove", path: "/metadata/finalizers/0" }];
  const patch = { body: remove, type: "application/json-patch+json" };
  const less = await api.ask("PATCH", `${IN_TEAM}/a`, patch);
  assert.deepEqual([less.code, less.json.metadata["finalizers"].length], [200, 39_999]);
  const more = [
    { op: "add", path: "/metadata/finalizers/-", value: "example.com/x" },
    { op: "add", path: "/metadata/finalizers/-", value: "example.com/y" },
  ];
  assert.equal((await api.ask("PATCH", `${IN_TEAM}/a`, { ...patch, body: more })).status, "422 Invalid");
  assert.equal((await api.ask("DELETE", `${IN_TEAM}/a`)).code, 200);
  assert.equal((await api.ask("PATCH", `${IN_TEAM}/a`, { body: { metadata: { finalizers: null } } })).code, 200);
  assert.equal((await api.ask("GET", `${IN_TEAM}/a`)).code, 404);
});
