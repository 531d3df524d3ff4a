/** A proxy before a real HTTP server that misbehaves as told: per request, by what the request is. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

export type Fault =
  | { readonly kind: "answer"; readonly status: number; readonly code: string } // in the server's place
  | { readonly kind: "reset"; readonly afterBytes: number } // the connection breaks in the middle of the request
  | { readonly kind: "stall" } // takes the request, and says nothing for ever
  | { readonly kind: "lose-answer" } // the server does it, but the answer never arrives
  | { readonly kind: "slow"; readonly bytesPerS: number } // moves all the time
  | { readonly kind: "damage"; readonly atByte: number } // one bit of the body
  | { readonly kind: "rewrite"; readonly answer: (answer: Answer) => Answer };

export interface Answer {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Asked {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
}

export interface FaultyProxy extends AsyncDisposable {
  readonly endpoint: string;
  /** Which fault a request meets; default: none. */
  fault: (asked: Asked) => Fault | undefined;
  /** What came, in order. */
  readonly asked: Asked[];
  /** Bytes of request bodies that came. */
  receivedBytes: number;
}

/** Parts of a multipart upload, and its other steps, as S3 writes them. */
export const isPart = ({ method, url }: Asked): boolean => method === "PUT" && url.includes("partNumber=");
export const isCompletion = ({ method, url }: Asked): boolean => method === "POST" && url.includes("uploadId=");

export async function faultyProxy(target: string, tls?: { cert: string; key: string }): Promise<FaultyProxy> {
  const listener = (incoming: IncomingMessage, outgoing: ServerResponse) =>
    void serve(proxy, target, incoming, outgoing).catch(() => incoming.socket.destroy());
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const proxy: FaultyProxy = {
    endpoint: `${tls ? "https" : "http"}://127.0.0.1:${port}`,
    fault: () => undefined,
    asked: [],
    receivedBytes: 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}

async function serve(
  proxy: FaultyProxy,
  target: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const asked = { method: incoming.method ?? "", url: incoming.url ?? "" };
  proxy.asked.push(asked);
  const fault = proxy.fault(asked);
  const body = await received(proxy, incoming, fault);
  if (fault?.kind === "answer") return void outgoing.writeHead(fault.status).end(errorText(fault.code));
  if (fault?.kind === "stall") return;
  if (fault?.kind === "damage") body[fault.atByte] = (body[fault.atByte] ?? 0) ^ 1;
  const upstream = request(`${target}${asked.url}`, {
    method: asked.method,
    headers: incoming.headers,
    setHost: false,
  });
  upstream.end(body);
  const [answer] = (await once(upstream, "response")) as [IncomingMessage];
  const text = await buffer(answer);
  if (fault?.kind === "lose-answer") return void incoming.socket.destroy();
  const whole = { headers: answer.headers, body: text.toString() };
  const said = fault?.kind === "rewrite" ? fault.answer(whole) : { ...whole, body: text };
  const { "content-length": _, "transfer-encoding": __, ...headers } = said.headers;
  outgoing.writeHead(answer.statusCode ?? 502, headers).end(said.body);
}

async function received(proxy: FaultyProxy, incoming: IncomingMessage, fault: Fault | undefined): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    proxy.receivedBytes += chunk.length;
    if (fault?.kind === "slow") await sleep((chunk.length / fault.bytesPerS) * 1000);
    if (fault?.kind === "reset" && bytes > fault.afterBytes) incoming.socket.resetAndDestroy();
  }
  return Buffer.concat(chunks);
}

const errorText = (code: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>said by the test</Message></Error>`;
