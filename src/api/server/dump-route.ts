/** Downloads: rights were checked before, store/download/ chooses the bytes. Here they are counted, sent and logged. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { reasonOf } from "../../domain/failures.ts";
import { answerFor } from "../../store/download/answer.ts";
import { begun } from "../../store/download/begun.ts";
import type { Download, DownloadPart, DumpRequest, EndpointRequest } from "../../store/download/download.ts";
import type { Endpoints } from "./endpoints.ts";
import { targetOf } from "./guard.ts";
import { DUMPS, RESOURCE } from "./kind.ts";
import { clipped, quoted } from "./limits.ts";
import type { ApiMetrics } from "./metrics.ts";
import { Places } from "./places.ts";
import { Query } from "./query.ts";
import { IN_NAMESPACE } from "./routes.ts";
import { send, untilGone } from "./sending.ts";
import { badRequest, statusOf } from "./status-error.ts";

/** What serves the bytes. */
export interface Downloads {
  openDump(request: DumpRequest, signal: AbortSignal): Promise<Download>;
  openEndpoint(request: EndpointRequest, signal: AbortSignal): Promise<Download>;
}

interface DumpParts {
  readonly downloads: Downloads;
  readonly endpoints: Endpoints;
  readonly metrics: ApiMetrics;
  readonly audit: Logger;
  /** At once, of one user. */
  readonly perUser: number;
}

/** What is downloaded; for the log, too. */
interface DownloadTarget {
  readonly resource: typeof DUMPS | typeof RESOURCE;
  readonly namespace: string;
  readonly name: string;
  readonly part: DownloadPart;
  readonly container?: string | undefined;
}

export function addDumpRoutes(app: FastifyInstance, parts: DumpParts): void {
  const underWay = new Places("downloads", Number.POSITIVE_INFINITY, parts.perUser);
  for (const resource of [DUMPS, RESOURCE] as const) {
    const config = { access: { verb: "get", resource, subresource: "dump" } } as const;
    app.get(`${IN_NAMESPACE}/${resource}/:name/dump`, { config }, (request, reply) =>
      serve(wantedOf(request, resource), request, reply, parts, underWay),
    );
  }
}

/** @throws StatusError 400 */
function wantedOf(request: FastifyRequest, resource: DownloadTarget["resource"]): DownloadTarget {
  const { namespace, name } = targetOf(request) as { namespace: string; name: string };
  const query = new Query(request.query);
  const part = query.text("part") || (resource === DUMPS ? "core" : "bundle");
  if (part !== "core" && part !== "bundle") throw badRequest(`part must be core or bundle, not ${quoted(part)}`);
  const container = resource === RESOURCE && { container: query.text("container") || undefined };
  return { resource, namespace, name, part, ...container };
}

async function serve(
  wanted: DownloadTarget,
  request: FastifyRequest,
  reply: FastifyReply,
  parts: DumpParts,
  underWay: Places,
): Promise<FastifyReply> {
  const user = request.user?.name ?? "";
  const startMs = performance.now();
  const range = request.headers.range && clipped(request.headers.range);
  const told = (facts: object, outcome: string) => {
    const tookMs = Math.round(performance.now() - startMs);
    parts.audit.info({ user, ...wanted, range, ...facts, outcome, tookMs }, "Download");
  };
  using _place = underWay.take(user);
  parts.metrics.downloads.inc();
  try {
    const gone = untilGone(reply.raw);
    const download = await opened(wanted, parts, gone);
    const { status, headers, range: sent } = answerFor(download, request.method, request.headers);
    const bytes = sent && (await begun(download.read(sent.fromBytes, sent.toBytes, gone)));
    reply.hijack();
    reply.raw.writeHead(status, headers);
    if (bytes) await sendBytes(reply, bytes, gone, parts, (facts, outcome) => told({ status, ...facts }, outcome));
    else told({ status, bytes: 0 }, "complete");
    reply.raw.end();
    return reply;
  } catch (error) {
    if (!reply.sent) {
      told({ status: statusOf(error).code, bytes: 0 }, reasonOf(error));
      throw error;
    }
    reply.raw.destroy(); // less than was announced, so that it is not taken for the whole
    return reply;
  } finally {
    parts.metrics.downloads.dec();
  }
}

async function sendBytes(
  { raw }: FastifyReply,
  chunks: AsyncIterable<Buffer>,
  gone: AbortSignal,
  { metrics }: DumpParts,
  told: (facts: object, outcome: string) => void,
): Promise<void> {
  let bytes = 0;
  const counted = async function* () {
    for await (const chunk of chunks) {
      yield chunk;
      bytes += chunk.length;
      metrics.downloadedBytes.inc(chunk.length);
    }
  };
  try {
    await send(raw, counted(), gone);
    told({ bytes }, "complete");
  } catch (error) {
    told({ bytes }, reasonOf(error));
    throw error;
  }
}

async function opened(
  wanted: DownloadTarget,
  { downloads, endpoints }: DumpParts,
  signal: AbortSignal,
): Promise<Download> {
  const { resource, namespace, name, part, container } = wanted;
  if (resource === DUMPS) return await downloads.openDump({ namespace, name, part }, signal);
  const { spec } = (await endpoints.get(namespace, name, signal)).endpoint;
  const request = { namespace, namespaceUid: spec.namespaceuid, podUid: spec.poduid, container, part };
  return await downloads.openEndpoint(request, signal);
}
