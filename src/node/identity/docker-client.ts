/** Docker's API through dockerode, which takes some 80 ms to load and so is loaded by the first question. */
import type { IncomingMessage } from "node:http";
import { DumpError } from "../../domain/failures.ts";
import { socketPath } from "./places.ts";
import { whyUnreachable } from "./unreachable.ts";

const MAX_ANSWER_BYTES = 4 << 20;

/** What dockerode's modem is used for: a request whose answer is a stream, so that its size can be bounded. */
interface Modem {
  dial(request: object, done: (error: (Error & { statusCode?: number }) | null, answer: IncomingMessage) => void): void;
}

/**
 * A GET that answers JSON.
 *
 * @param host `unix:///path`, `/path` or `tcp://host:port`
 * @returns undefined when Docker says 404
 * @throws DumpError RUNTIME_UNAVAILABLE when there is no answer, or with an error; RUNTIME_ANSWER_INVALID when the answer
 *         cannot be used; the signal's reason when it aborts
 */
export async function dockerGet(host: string, path: string, signal: AbortSignal): Promise<unknown> {
  try {
    const answer = await request(await modemOf(host), path, signal);
    const text = await textOfAnswer(answer, host);
    if (answer.statusCode === 404) return undefined;
    return JSON.parse(text);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DumpError) throw error;
    if (error instanceof SyntaxError) throw invalid(host, "its answer is not JSON", error);
    throw unavailable(host, error);
  }
}

/** A connection kept for later may be one to a daemon that has been restarted since. */
const ONCE = { Connection: "close" };

async function modemOf(host: string): Promise<Modem> {
  const { default: Docker } = await import("dockerode");
  const path = socketPath(host);
  // An explicit undefined: dockerode would take what is missing from DOCKER_HOST.
  if (path !== undefined)
    return new Docker({ socketPath: path, host: undefined, headers: ONCE } as object).modem as Modem;
  const address = /^(?:tcp|(https?)):\/\/(\[[^\]]+\]|[^:/]+)(?::(\d+))?\/?$/.exec(host);
  if (!address)
    throw new DumpError("SETTINGS_INVALID", `Cannot ask Docker at ${host}: it is not an address of Docker's`);
  const [, protocol = "http", name, port = "2375"] = address;
  return new Docker({ protocol, host: name, port: Number(port), headers: ONCE } as object).modem as Modem;
}

const request = (modem: Modem, path: string, signal: AbortSignal): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const statusCodes = { 200: true, 404: true };
    const options = { path, method: "GET", isStream: true, statusCodes, abortSignal: signal };
    modem.dial(options, (error, answer) => (error ? reject(error) : resolve(answer)));
  });

async function textOfAnswer(answer: IncomingMessage, host: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw invalid(host, "its answer is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

const invalid = (host: string, why: string, cause?: unknown): DumpError =>
  new DumpError("RUNTIME_ANSWER_INVALID", `Cannot ask Docker at ${host}: ${why}`, { cause });

function unavailable(host: string, error: unknown): DumpError {
  const { code, statusCode } = error as { code?: unknown; statusCode?: number };
  // llhttp's own codes: there is an answer, but not in HTTP.
  if (typeof code === "string" && code.startsWith("HPE_")) return invalid(host, "it does not speak HTTP", error);
  const why = statusCode ? `it answered ${statusCode}` : whyUnreachable(error);
  return new DumpError("RUNTIME_UNAVAILABLE", `Cannot ask Docker at ${host}: ${why}`, { cause: error });
}
