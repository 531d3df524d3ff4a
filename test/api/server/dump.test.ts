/** Downloads as HTTP: ranges, limits, what is told of them, how they end. The bytes are a fake's. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { test } from "node:test";
import { DumpError } from "../../../src/domain/failures.ts";
import type { Download } from "../../../src/store/download/download.ts";
import { eventually } from "../../support/eventually.ts";
import { API, Api, IN_TEAM, NAMESPACE_UID } from "./api.ts";

const DUMP = `/apis/${API}/namespaces/team/coredumps/core-1/dump`;
const BYTES = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251));

const download = (read: Download["read"], lengthBytes = BYTES.length): Download => ({
  ...{ etag: '"abc"', lengthBytes, filename: "nginx.core", contentType: "application/octet-stream" },
  read,
});

const whole = download(async function* (from, to) {
  for (let at = from; at < to; at += 100) yield BYTES.subarray(at, Math.min(at + 100, to));
});

const serving = (what: Download | Error, perUser?: number) => {
  const asked: object[] = [];
  const open = async (request: object) => {
    asked.push(request);
    if (what instanceof Error) throw what;
    return what;
  };
  const api = new Api({ downloads: { openDump: open, openEndpoint: open }, ...(perUser && { perUser }) });
  return Object.assign(api, { asked });
};

async function connected(api: Api, path: string): Promise<IncomingMessage> {
  const where = { host: "127.0.0.1", port: await api.listen(), rejectUnauthorized: false, agent: false as const };
  return ((await once(request({ ...where, path }).end(), "response")) as [IncomingMessage])[0];
}

test("a dump is sent whole, with its length, tag and name; HEAD sends nothing of it", async () => {
  await using api = serving(whole);
  const answer = await api.app.inject({ method: "GET", url: DUMP });
  assert.deepEqual(answer.rawPayload, BYTES);
  const { "content-length": length, etag, "content-disposition": disposition } = answer.headers;
  assert.deepEqual([length, etag, disposition], ["1000", '"abc"', 'attachment; filename="nginx.core"']);
  const head = await api.app.inject({ method: "HEAD", url: DUMP });
  assert.deepEqual([head.statusCode, head.headers["content-length"], head.rawPayload.length], [200, "1000", 0]);
});

test("a range is sent as one, and told of", async () => {
  await using api = serving(whole);
  const { statusCode, rawPayload } = await api.app.inject({
    method: "GET",
    url: DUMP,
    headers: { range: "bytes=150-349" },
  });
  assert.deepEqual([statusCode, rawPayload], [206, BYTES.subarray(150, 350)]);
  const { time: _, level: __, tookMs: ___, ...line } = api.audit[0] ?? {};
  assert.deepEqual(line, {
    ...{ msg: "Download", user: "alice", resource: "coredumps", namespace: "team", name: "core-1", part: "core" },
    ...{ range: "bytes=150-349", status: 206, bytes: 200, outcome: "complete" },
  });
});

test("an endpoint's dump is of what it says, of the namespace in which it was made", async () => {
  await using api = serving(whole);
  await api.create({ name: "a" }, { poduid: "pod-1" });
  for (const query of ["", "?container=x&part=core", "?container="]) await api.ask("GET", `${IN_TEAM}/a/dump${query}`);
  const endpoint = { namespace: "team", namespaceUid: NAMESPACE_UID, podUid: "pod-1" };
  assert.deepEqual(api.asked, [
    { ...endpoint, container: undefined, part: "bundle" },
    { ...endpoint, container: "x", part: "core" },
    { ...endpoint, container: undefined, part: "bundle" },
  ]);
  assert.equal((await api.ask("GET", `${IN_TEAM}/b/dump`)).status, "404 NotFound");
  assert.equal((await api.ask("GET", `${IN_TEAM}/a/dump?part=all`)).status, "400 BadRequest");
});

const refusals = [
  { error: new DumpError("NOT_FOUND", "Cannot get coredumps: no core-1"), want: "404 NotFound" },
  { error: new DumpError("DUMP_NOT_HELD", "Cannot serve it: Quota exceed"), want: "404 NotFound" },
  { error: new DumpError("DUMP_NOT_READY", "Cannot serve it: not stored yet"), want: "409 Conflict" },
  { error: new DumpError("DUMP_RESTRICTED", "Cannot serve it: the process was not dumpable"), want: "403 Forbidden" },
  { error: new DumpError("STORE_UNAVAILABLE", "Cannot read: no answer"), want: "503 ServiceUnavailable" },
  { error: new DumpError("STORE_CORRUPT", "Cannot read: another one"), want: "500 InternalError" },
  { error: new Error("/secret/path is wrong"), want: "500 InternalError" },
];
for (const { error, want } of refusals) {
  test(`${error instanceof DumpError ? error.code : "anything unforeseen"} is answered ${want}, and told of`, async () => {
    await using api = serving(error);
    const answer = await api.ask("GET", DUMP);
    assert.equal(answer.status, want);
    assert.deepEqual([api.audit[0]?.["status"], api.audit[0]?.["outcome"]], [answer.code, error.message]);
    if (error instanceof DumpError) assert.equal(answer.json["details"].causes[0].reason, error.code);
    else assert.ok(!answer.text.includes("secret"));
  });
}

test("what breaks in the middle breaks the connection, so that nobody takes it for the whole", async () => {
  const arrived = Promise.withResolvers<void>();
  const breaking = download(async function* () {
    yield BYTES.subarray(0, 500);
    await arrived.promise;
    throw new DumpError("STORE_CORRUPT", "Cannot read: a checksum is wrong");
  });
  await using api = serving(breaking);
  const answer = await connected(api, DUMP);
  arrived.resolve();
  await assert.rejects(answer.toArray(), { code: "ECONNRESET" });
  await eventually(() =>
    assert.deepEqual([api.audit[0]?.["bytes"], api.audit[0]?.["outcome"]], [500, "Cannot read: a checksum is wrong"]),
  );
});

test("when the client goes, the work stops", async () => {
  const stopped = Promise.withResolvers<unknown>();
  const endless = download(async function* (_from, _to, signal) {
    signal.addEventListener("abort", () => stopped.resolve(signal.reason));
    for (;;) {
      yield Buffer.alloc(1 << 16);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }, 2 ** 50);
  await using api = serving(endless);
  const answer = await connected(api, DUMP);
  await once(answer, "data");
  answer.destroy();
  assert.match(String(await stopped.promise), /the client is gone/);
  await eventually(() => assert.equal(api.audit[0]?.["outcome"], "the client is gone"));
});

test("one who does not read is sent no more than the connection holds", async () => {
  let given = 0;
  const plenty = download(async function* () {
    for (;;) {
      given += 1 << 16;
      yield Buffer.alloc(1 << 16);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }, 2 ** 50);
  await using api = serving(plenty);
  const answer = await connected(api, DUMP);
  answer.pause();
  let before = -1;
  await eventually(() => {
    const last = before;
    before = given;
    assert.equal(given, last, "it still goes on");
  });
  assert.ok(given < 32 << 20, `${given} bytes`);
  answer.destroy();
});

test("a user has so many downloads at once, and others have theirs", async () => {
  const waiting = download(async function* (_from, _to, signal) {
    yield BYTES.subarray(0, 1);
    await once(signal, "abort");
  });
  await using api = serving(waiting, 2);
  const two = [await connected(api, DUMP), await connected(api, DUMP)];
  const third = await api.ask("GET", DUMP);
  assert.deepEqual([third.status, third.headers["retry-after"]], ["429 TooManyRequests", "1"]);
  const other = api.app.inject({ method: "GET", url: DUMP, headers: { "x-test-user": "bob" }, payloadAsStream: true });
  assert.equal((await other).statusCode, 200);
  two[0]?.destroy();
  await eventually(async () => assert.equal((await connected(api, DUMP)).statusCode, 200));
});
