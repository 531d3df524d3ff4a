/** The webhook's HTTPS: what is let in, how much, for how long. What is decided is admission/'s. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { DumpError, isCode, reasonOf } from "../domain/failures.ts";
import { limitConnections } from "../system/connections.ts";
import type { KeyPair } from "../system/key-pair.ts";
import { answerReview, type ReviewAnswer } from "./admission/review.ts";

/** The API server takes no larger request itself. */
const MAX_BODY_BYTES = 3 << 20;
const REQUEST_MS = 10_000;
/** Longer than the API server keeps idle connections (90 s): else it would send into one that we are just closing. */
const KEEP_ALIVE_MS = 120_000;
/** The API server has a connection for each call under way, and mostly no certificate. */
const CONNECTIONS = { all: 1000, strangers: 1000, strangersOfOneAddress: 500 };
/** Of requests that are being read, together. */
const HELD_BYTES = 64 << 20;
/** `/` is where the predecessor was called. */
const PATHS = ["/mutate", "/"];

export interface Listener {
  answered(answer: ReviewAnswer, tookMs: number): void;
  refused(status: number | "handshake"): void;
}

export interface ReviewServer extends AsyncDisposable {
  readonly port: number;
  /** For connections from now on; the others end with their next answer, or at once when another CA lets clients in. */
  use(pair: KeyPair): void;
  /** Answers on, and asks every caller to connect elsewhere next time. */
  retire(): void;
}

/**
 * @param port 0: any free one
 * @throws DumpError SETTINGS_INVALID when the port cannot be had
 */
export async function serveReviews(port: number, pair: KeyPair, listener: Listener): Promise<ReviewServer> {
  let current = new WeakSet<Socket>();
  let { ca } = pair;
  const server = createServer(tlsOf(pair), (request, response) => {
    if (!current.has(request.socket)) response.setHeader("connection", "close");
    void answer(request, response, listener).catch(() => response.destroy()); // the client is gone
  });
  Object.assign(server, { headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS });
  limitConnections(server, CONNECTIONS);
  const welcome = (socket: Socket) => current.add(socket);
  server.on("secureConnection", welcome).on("tlsClientError", () => listener.refused("handshake"));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(port, resolve);
  await promise.catch((error) => {
    throw new DumpError("SETTINGS_INVALID", `Cannot listen on port ${port}: ${reasonOf(error)}`, { cause: error });
  });
  return {
    port: (server.address() as AddressInfo).port,
    use: (pair) => {
      server.setSecureContext(tlsOf(pair));
      current = new WeakSet();
      if (pair.ca !== ca) server.closeIdleConnections();
      ca = pair.ca;
    },
    retire: () => {
      server.off("secureConnection", welcome);
      current = new WeakSet();
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

const tlsOf = ({ cert, key, ca }: KeyPair) => ({
  ...{ cert, key, minVersion: "TLSv1.2" as const, handshakeTimeout: REQUEST_MS, connectionsCheckingInterval: 1000 },
  ...(ca !== undefined && { ca, requestCert: true, rejectUnauthorized: true }),
});

async function answer(request: IncomingMessage, response: ServerResponse, listener: Listener): Promise<void> {
  const refuse = (status: number, why: string, headers = {}) => {
    listener.refused(status);
    request.resume();
    response.writeHead(status, { "content-type": "text/plain", ...headers }).end(`${why}\n`);
  };
  if (!PATHS.includes((request.url ?? "").replace(/\?.*$/s, ""))) return refuse(404, "not here");
  if (request.method !== "POST") return refuse(405, "POST an AdmissionReview", { allow: "POST" });
  if (!/^application\/json\s*(;|$)/i.test(request.headers["content-type"] ?? ""))
    return refuse(415, "Cannot read the request: its content type is not application/json");
  const body = await bodyOf(request);
  if (body === "busy") return refuse(429, "Cannot read the request: too much is being read; ask again");
  if (body === undefined) return refuse(413, `Cannot read the request: it is larger than ${MAX_BODY_BYTES} bytes`);
  const startMs = performance.now();
  let answer: ReviewAnswer;
  try {
    answer = answerReview(body);
  } catch (error) {
    const status = isCode(error, "API_INVALID") ? 400 : 500;
    return refuse(status, reasonOf(error));
  }
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer.review));
  listener.answered(answer, performance.now() - startMs);
}

/** What is held of all requests that are being read. */
let heldBytes = 0;

/**
 * Undefined when it is too large, "busy" when all together are; read to its end all the same, because who still writes does
 * not see an answer.
 */
async function bodyOf(request: IncomingMessage): Promise<Buffer | "busy" | undefined> {
  const chunks: Buffer[] = [];
  let [bytes, held, isBusy] = [0, 0, false];
  const letGo = () => {
    heldBytes -= held;
    [held, chunks.length] = [0, 0];
  };
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      isBusy ||= heldBytes + chunk.length > HELD_BYTES;
      if (isBusy || bytes > MAX_BODY_BYTES) letGo();
      else {
        chunks.push(chunk);
        held += chunk.length;
        heldBytes += chunk.length;
      }
    }
    if (bytes > MAX_BODY_BYTES) return undefined;
    return isBusy ? "busy" : Buffer.concat(chunks, bytes);
  } finally {
    letGo();
  }
}
