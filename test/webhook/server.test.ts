/** The webhook's port: what is let in, and what is answered to the rest. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, type RequestOptions, request } from "node:https";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { connect, type PeerCertificate, type TLSSocket } from "node:tls";
import type { KeyPair } from "../../src/system/key-pair.ts";
import { type Kept, renewed } from "../../src/webhook/pki/renewal.ts";
import { type Listener, type ReviewServer, serveReviews } from "../../src/webhook/server.ts";
import { clientOf } from "../support/client-certificate.ts";
import { eventually } from "../support/eventually.ts";
import { tempDir } from "../support/tmp.ts";
import { REVIEWS } from "./admission/pods.ts";

const own = (): Kept => renewed({}, ["127.0.0.1"], Date.now()) as Kept;
const pairOf = (kept: Kept, ca?: string): KeyPair => ({ cert: kept["tls.crt"], key: kept["tls.key"], ca });
const kept = own();
const other = own();
const trusted = kept["ca.crt"] + other["ca.crt"];
const BODY = REVIEWS.get("bare") ?? "";
const JSON_TYPE = { "content-type": "application/json" };

interface Said {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
  readonly peer: PeerCertificate;
}

function serve(pair = pairOf(kept), listener: Partial<Listener> = {}): Promise<ReviewServer> {
  return serveReviews(0, pair, { answered: () => undefined, refused: () => undefined, ...listener });
}

async function ask(port: number, body: string | Buffer, options: RequestOptions = {}): Promise<Said> {
  const sent = request({
    host: "127.0.0.1",
    port,
    path: "/mutate",
    method: "POST",
    ca: trusted,
    headers: JSON_TYPE,
    agent: false, // a connection of its own
    ...options,
  });
  sent.end(body);
  const [response] = await once(sent, "response");
  const peer = (response.socket as TLSSocket).getPeerCertificate();
  return { status: response.statusCode, headers: response.headers, body: await text(response), peer };
}

for (const path of ["/mutate", "/", "/mutate?timeout=5s"])
  test(`serveReviews() answers at ${path}`, async () => {
    const seen: string[] = [];
    await using server = await serve(pairOf(kept), { answered: ({ verdict }) => seen.push(verdict.kind) });
    const { status, headers, body } = await ask(server.port, BODY, { path });
    assert.deepEqual([status, headers["content-type"], seen], [200, "application/json", ["patched"]]);
    const { response } = JSON.parse(body);
    assert.deepEqual([response.allowed, response.uid], [true, JSON.parse(BODY).request.uid]);
  });

const LARGE = Buffer.alloc((3 << 20) + 1, " ");
const whole = (bytes: number) => Buffer.concat([Buffer.from(BODY), Buffer.alloc(bytes - Buffer.byteLength(BODY), " ")]);

for (const [on, want, body, options] of [
  ["a path that is not ours", 404, BODY, { path: "/metrics" }],
  ["a path below ours", 404, BODY, { path: "/mutate/x" }],
  ["GET", 405, "", { method: "GET" }],
  ["PUT", 405, BODY, { method: "PUT" }],
  ["no content type", 415, BODY, { headers: {} }],
  ["YAML", 415, BODY, { headers: { "content-type": "application/yaml" } }],
  [
    "a content type that only begins like JSON",
    415,
    BODY,
    { headers: { "content-type": "application/json-patch+json" } },
  ],
  ["JSON with a charset", 200, BODY, { headers: { "content-type": "Application/JSON; charset=utf-8" } }],
  ["nothing", 400, "", {}],
  ["half a review", 400, BODY.slice(0, 100), {}],
  ["bytes that are no text", 400, Buffer.from([0xff, 0xfe, 0x7b]), {}],
  ["3 MiB", 200, whole(3 << 20), {}],
  ["more than 3 MiB", 413, LARGE, {}],
  ["more than 3 MiB, without saying so", 413, LARGE, { headers: { ...JSON_TYPE, "transfer-encoding": "chunked" } }],
] as const)
  test(`serveReviews() answers ${on} with ${want}`, async () => {
    const refused: unknown[] = [];
    await using server = await serve(pairOf(kept), { refused: (status) => refused.push(status) });
    const said = await ask(server.port, body, options);
    assert.equal(said.status, want, said.body);
    assert.deepEqual(refused, want === 200 ? [] : [want]);
    assert.doesNotMatch(said.body, /\n.*at /); // no stack trace
  });

test("serveReviews() shows a new certificate as soon as who is there has had an answer", async () => {
  await using server = await serve();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const before = await ask(server.port, BODY, { agent });
  server.use(pairOf(other));
  const same = await ask(server.port, BODY, { agent });
  const after = await ask(server.port, BODY, { agent });
  assert.equal(same.peer.fingerprint256, before.peer.fingerprint256);
  assert.notEqual(after.peer.fingerprint256, before.peer.fingerprint256);
  agent.destroy();
});

test("ReviewServer.retire(): it answers, and asks callers to connect elsewhere", async () => {
  await using server = await serve();
  assert.notEqual(
    (await ask(server.port, BODY, { agent: new Agent({ keepAlive: true }) })).headers["connection"],
    "close",
  );
  server.retire();
  const { status, headers } = await ask(server.port, BODY);
  assert.deepEqual([status, headers["connection"]], [200, "close"]);
});

test("serveReviews() says why it cannot listen", async () => {
  await using server = await serve();
  await assert.rejects(
    serveReviews(server.port, pairOf(kept), { answered: () => undefined, refused: () => undefined }),
    {
      code: "SETTINGS_INVALID",
      message: /^Cannot listen on port \d+: /,
    },
  );
});

test("serveReviews() does not wait for who dawdles", async () => {
  await using server = await serve();
  for (const start of [
    `POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
    "POST",
  ]) {
    const socket = connect({ host: "127.0.0.1", port: server.port, ca: trusted });
    socket.on("error", () => undefined).write(start);
    assert.match(await text(socket), /^HTTP\/1\.1 408 /);
  }
});

test("serveReviews() with a client CA answers only whom that CA knows", async () => {
  using folder = tempDir();
  const [ours, theirs] = [clientOf(folder.path, "ours"), clientOf(folder.path, "theirs")];
  const refused: unknown[] = [];
  await using server = await serve(pairOf(kept, ours.ca), { refused: (status) => refused.push(status) });
  assert.equal((await ask(server.port, BODY, { cert: ours.cert, key: ours.key })).status, 200);
  await assert.rejects(ask(server.port, BODY));
  await assert.rejects(ask(server.port, BODY, { cert: theirs.cert, key: theirs.key }));
  assert.deepEqual([...new Set(refused)], ["handshake"]); // who shows none; who shows a wrong one ends without an event
  server.use(pairOf(kept, theirs.ca)); // the CA is renewed like the certificate
  assert.equal((await ask(server.port, BODY, { cert: theirs.cert, key: theirs.key })).status, 200);
  await assert.rejects(ask(server.port, BODY, { cert: ours.cert, key: ours.key }));
});

test("serveReviews() ends connections that a former client CA let in", async () => {
  using folder = tempDir();
  const [former, next] = [clientOf(folder.path, "former"), clientOf(folder.path, "next")];
  await using server = await serve(pairOf(kept, former.ca));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { cert, key } = former;
  for (let times = 0; times < 2; times++)
    assert.equal((await ask(server.port, BODY, { agent, cert, key })).status, 200);
  server.use(pairOf(kept, next.ca));
  await eventually(() => assert.deepEqual(Object.values(agent.freeSockets), []));
  await assert.rejects(ask(server.port, BODY, { agent, cert, key }));
  agent.destroy();
});

test("serveReviews() lets nobody in by a TLS session of the CA before", async () => {
  using folder = tempDir();
  const [former, next] = [clientOf(folder.path, "former"), clientOf(folder.path, "next")];
  await using server = await serve(pairOf(kept, former.ca));
  const agent = new Agent({ maxCachedSessions: 10 }); // no kept connection: only the session is used again
  const { cert, key } = former;
  for (let times = 0; times < 2; times++)
    assert.equal((await ask(server.port, BODY, { agent, cert, key })).status, 200);
  server.use(pairOf(kept, next.ca));
  await assert.rejects(ask(server.port, BODY, { agent, cert, key }));
});
