/** Requests whose end two servers could see at different places: refused, and nothing behind them is taken for a request. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "node:tls";
import { Api, IN_TEAM, POD_UID } from "./api.ts";

const hidden = JSON.stringify({ metadata: { name: "hidden" }, spec: { poduid: POD_UID } });
const SECOND = `POST ${IN_TEAM} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${hidden.length}\r\nConnection: close\r\n\r\n${hidden}`;
const start = `POST ${IN_TEAM} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
const cases = [
  {
    on: "a length beside chunks",
    head: "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
    body: `0\r\n\r\n${SECOND}`,
  },
  { on: "two lengths", head: `Content-Length: 2\r\nContent-Length: ${SECOND.length + 2}\r\n`, body: `{}${SECOND}` },
  { on: "another coding", head: "Transfer-Encoding: xchunked\r\nContent-Length: 2\r\n", body: `{}${SECOND}` },
  { on: "chunks that are not last", head: "Transfer-Encoding: chunked, identity\r\n", body: `0\r\n\r\n${SECOND}` },
  { on: "a space before the colon", head: "Content-Length : 2\r\n", body: `{}${SECOND}` },
  { on: "a folded length", head: "Content-Length:\r\n 2\r\n", body: `{}${SECOND}` },
  { on: "a length with a sign", head: "Content-Length: +2\r\n", body: `{}${SECOND}` },
  { on: "a chunk's length with a sign", head: "Transfer-Encoding: chunked\r\n", body: `-1\r\n${SECOND}` },
  { on: "a line feed alone", head: "X: y\nContent-Length: 2\r\n", body: `{}${SECOND}` },
];
for (const { on, head, body } of cases)
  test(`a request of ${on} is refused, and nothing behind it is one`, async () => {
    await using api = new Api();
    const socket = connect({ port: await api.listen(), host: "127.0.0.1", rejectUnauthorized: false });
    socket.on("error", () => undefined).write(`${start}${head}\r\n${body}`);
    let said = "";
    for await (const chunk of socket.setTimeout(2000, () => socket.destroy())) said += chunk;
    assert.match(said, /^HTTP\/1\.1 400 /);
    assert.equal(said.match(/^HTTP\/1\.1 /gm)?.length, 1, said);
    assert.equal((await api.ask("GET", `${IN_TEAM}/hidden`)).code, 404);
  });
