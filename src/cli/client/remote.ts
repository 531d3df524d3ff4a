/** What the API server has for download, and one request for some of its bytes. How often to ask is others' business (pieces.ts). */
import type { IncomingMessage } from "node:http";
import { DumpError } from "../../domain/failures.ts";
import type { KubeAnswers } from "../../kube/http.ts";
import { ENDPOINT_API, member } from "../../kube/objects.ts";
import type { Plural } from "./objects.ts";
import type { Bytes } from "./pieces.ts";
import { explained } from "./trouble.ts";

export interface DownloadPath {
  readonly resource: Plural;
  readonly namespace: string;
  readonly name: string;
  /** `part`, `container`. */
  readonly query: Readonly<Record<string, string>>;
}

const CONTENT_RANGE = /^bytes (\d+)-(\d+)\/(\d+)$/;

export class Remote implements Bytes {
  readonly isSteady = false;
  readonly lengthBytes: number;
  /** Of all answers the same, else it has been replaced. */
  readonly etag: string;
  readonly #http: KubeAnswers;
  readonly #wanted: DownloadPath;

  private constructor(http: KubeAnswers, wanted: DownloadPath, lengthBytes: number, etag: string) {
    this.#http = http;
    this.#wanted = wanted;
    this.lengthBytes = lengthBytes;
    this.etag = etag;
  }

  /** Asks for the first byte. @throws DumpError with what stands in the way */
  static async open(http: KubeAnswers, wanted: DownloadPath, signal: AbortSignal): Promise<Remote> {
    const answer = await ask(http, wanted, { range: "bytes=0-0" }, signal);
    answer.destroy();
    const { "content-range": range, etag } = answer.headers;
    const total = CONTENT_RANGE.exec(range ?? "")?.[3];
    if (total !== undefined && etag !== undefined) return new Remote(http, wanted, Number(total), etag);
    throw new DumpError("API_INVALID", `Cannot download ${wanted.name}: the server does not serve ranges of it`);
  }

  pieceEnd(fromBytes: number, wireBytes: number, plainBytes: number): number {
    return Math.min(this.lengthBytes, fromBytes + Math.min(wireBytes, plainBytes));
  }

  /**
   * The bytes in [from, to), by one request.
   * @throws DumpError API_UNAVAILABLE when it breaks off; API_INVALID when it is no longer what it was
   */
  async *read(fromBytes: number, toBytes: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    const headers = { range: `bytes=${fromBytes}-${toBytes - 1}`, "if-range": this.etag };
    const answer = await ask(this.#http, this.#wanted, headers, signal);
    // Of anything else than it was, all is sent, and no range.
    const [, first, last] = CONTENT_RANGE.exec(answer.headers["content-range"] ?? "") ?? [];
    if (Number(first) !== fromBytes || Number(last) !== toBytes - 1 || answer.headers.etag !== this.etag) {
      answer.destroy();
      throw changed(this.#wanted);
    }
    let at = fromBytes;
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        at += chunk.length;
        yield chunk;
      }
    } catch (cause) {
      signal.throwIfAborted();
      throw broken(this.#wanted, at, cause);
    }
    if (at !== toBytes) throw broken(this.#wanted, at);
  }
}

async function ask(
  http: KubeAnswers,
  wanted: DownloadPath,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { namespace, name, query, resource } = wanted;
  // The bytes of both kinds are the aggregated server's.
  const path = `${member(ENDPOINT_API, resource, name, namespace)}/dump`;
  const accept = "application/octet-stream, */*";
  try {
    return await http.answer({ verb: "get", resource: `${resource}/dump`, path, query, headers, accept, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw explained(error, `${resource}/dump`, wanted);
  }
}

const changed = ({ name }: DownloadPath): DumpError =>
  new DumpError("API_INVALID", `Cannot go on with ${name}: it is no longer what it was when the download began`, {
    hint: "Run the same command again",
  });

const broken = ({ name }: DownloadPath, at: number, cause?: unknown): DumpError =>
  new DumpError("API_UNAVAILABLE", `Cannot download ${name}: the connection broke off at byte ${at}`, { cause });
