/** The HTTPS server: limits, who may, and what is not about objects: discovery, OpenAPI, health, figures. */
import { constants } from "node:crypto";
import type { Server } from "node:https";
import type { TlsOptions } from "node:tls";
import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { Logger } from "pino";
import { DumpError, reasonOf } from "../../domain/failures.ts";
import { limitConnections } from "../../system/connections.ts";
import { isJson, mediaTypesIn } from "./accept.ts";
import { apiGroup, apiResourceList, groupsFor } from "./discovery.ts";
import { type Guard, useGuard } from "./guard.ts";
import { GROUP, GROUP_VERSION } from "./kind.ts";
import { LIMITS } from "./limits.ts";
import type { ApiMetrics } from "./metrics.ts";
import { type Document, openApi2, openApi3, openApi3Index } from "./openapi.ts";
import { Query } from "./query.ts";
import {
  badRequest,
  methodNotAllowed,
  noSuchPath,
  notAcceptable,
  type StatusBody,
  StatusError,
  statusOf,
} from "./status-error.ts";

/** A user of many groups has a header for each. */
const MAX_HEADER_BYTES = 256 << 10;
const MAX_NAME = 512;
/** Nearly all requests come through kube-apiserver, which has a certificate; strangers cannot take its places. */
const CONNECTIONS = { all: 2000, strangers: 500, strangersOfOneAddress: 64 };
const HEADERS_MS = 20_000;
const REQUEST_MS = 30_000;
const CHECK_MS = 5_000;
/** Longer than proxies keep theirs, so that none sends into a connection that is just being closed. */
const IDLE_MS = 120_000;

interface ServerParts {
  readonly guard: Guard;
  readonly metrics: ApiMetrics;
  readonly log: Logger;
  /** Why not all of the work is done; empty when it is. */
  readonly problems: () => Promise<readonly string[]>;
}

/** What TLS is to be, of a certificate and of those who may vouch for clients. Who has no certificate may have a token. */
export const tlsOptions = (pair: { cert: string; key: string }, authorities: readonly string[]): TlsOptions => ({
  cert: pair.cert,
  key: pair.key,
  ca: [...authorities],
  requestCert: true,
  rejectUnauthorized: false,
  allowPartialTrustChain: true, // an authority that was named need not be a root
  minVersion: "TLSv1.2",
  secureOptions: constants.SSL_OP_NO_TICKET, // a resumed session would keep what an earlier authority vouched for
});

export function createServer(tls: TlsOptions, parts: ServerParts): FastifyInstance {
  const { metrics, log } = parts;
  const app = fastify({
    https: {
      ...tls,
      maxHeaderSize: MAX_HEADER_BYTES,
      handshakeTimeout: HEADERS_MS,
      connectionsCheckingInterval: CHECK_MS,
    },
    bodyLimit: LIMITS.bodyBytes,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: IDLE_MS,
    forceCloseConnections: "idle",
    routerOptions: { maxParamLength: MAX_NAME },
    frameworkErrors: (_, __, reply) => void refuse(reply, badRequest("the path cannot be read").status),
  });
  app.server.headersTimeout = HEADERS_MS;
  limitConnections(app.server as Server, CONNECTIONS);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_, body, done) => done(null, body));
  useGuard(app, parts.guard);
  app.setErrorHandler((error, _, reply) => {
    const status = statusOfError(error);
    if (status.code >= 500) {
      metrics.failures.inc({ code: error instanceof DumpError ? error.code : "UNEXPECTED" });
      log.warn(error instanceof DumpError ? { code: error.code } : { err: error }, reasonOf(error));
    }
    return refuse(reply, status);
  });
  app.setNotFoundHandler((request, reply) =>
    refuse(reply, (isKnown(app, request.url) ? methodNotAllowed() : noSuchPath()).status),
  );
  app.addHook("onResponse", async (request, reply) => count(request, reply, metrics));
  addDiscovery(app);
  addOpenApi(app);
  addHealth(app, parts);
  return app;
}

function count(
  { routeOptions, query, method }: FastifyRequest,
  { raw, elapsedTime }: FastifyReply,
  metrics: ApiMetrics,
): void {
  const access = routeOptions.config?.access;
  const {
    resource,
    subresource,
    verb: asked,
  } = typeof access === "object" ? access : { resource: "none", subresource: undefined, verb: method.toLowerCase() };
  const verb = asked === "list" && new Query(query).isWatch ? "watch" : asked;
  metrics.requests.inc({ verb, resource, code: String(raw.statusCode) });
  if (verb !== "watch" && subresource !== "dump") metrics.seconds.observe({ verb }, elapsedTime / 1000);
}

/** What the framework refuses has a status of HTTP's, and is not a failure of ours. */
function statusOfError(error: unknown): StatusBody {
  const { statusCode, message } = error as FastifyError;
  if (statusCode === 413)
    return new StatusError(413, "RequestEntityTooLarge", `Request entity too large: limit is ${LIMITS.bodyBytes}`)
      .status;
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return badRequest(message).status;
  return statusOf(error);
}

function refuse(reply: FastifyReply, status: StatusBody): FastifyReply {
  // An authority may be known by now that was not when the client connected.
  if (status.code === 401) reply.header("connection", "close");
  const after = status.details?.retryAfterSeconds;
  if (after !== undefined) reply.header("retry-after", String(after));
  return reply.code(status.code).type("application/json").send(JSON.stringify(status));
}

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

const isKnown = (app: FastifyInstance, url: string): boolean =>
  METHODS.some((method) => app.findRoute({ method, url: url.split("?")[0] ?? "" }) !== null);

function addDiscovery(app: FastifyInstance): void {
  app.get("/apis", async ({ headers }, reply) => {
    const { body, contentType } = groupsFor(headers.accept);
    return reply.header("vary", "Accept").type(contentType).send(JSON.stringify(body));
  });
  for (const [path, body] of Object.entries({ [GROUP]: apiGroup, [GROUP_VERSION]: apiResourceList }))
    app.get(`/apis/${path}`, async (_, reply) => reply.type("application/json").send(JSON.stringify(body)));
}

function addOpenApi(app: FastifyInstance): void {
  const [v2, v3] = [openApi2(), openApi3()];
  const index = JSON.stringify(openApi3Index(v3));
  const documents: Readonly<Record<string, Document>> = {
    "/openapi/v2": v2,
    "/openapi/v3": { text: index, hash: v3.hash },
    [`/openapi/v3/apis/${GROUP_VERSION}`]: v3,
  };
  for (const [path, { text, hash }] of Object.entries(documents)) {
    app.get(path, async ({ headers }, reply) => {
      if (!mediaTypesIn(headers.accept).some(isJson)) throw notAcceptable("application/json");
      reply.header("etag", `"${hash}"`).header("vary", "Accept").header("cache-control", "no-cache, private");
      if (headers["if-none-match"]?.includes(hash)) return reply.code(304).send();
      return reply.type("application/json").send(text);
    });
  }
}

function addHealth(app: FastifyInstance, { metrics, problems }: ServerParts): void {
  const open = { config: { access: "open" } } as const;
  for (const path of ["/healthz", "/livez"])
    app.get(path, open, async (_, reply) => reply.type("text/plain").send("ok"));
  app.get("/readyz", open, async (_, reply) => {
    const all = await problems();
    return reply
      .code(all.length === 0 ? 200 : 503)
      .type("text/plain")
      .send(all.length === 0 ? "ok" : `${all.join("\n")}\n`);
  });
  app.get("/metrics", async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
}
