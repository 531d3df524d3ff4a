/** HTTPS requests as a user of a cluster makes them, with all that an answer has: for whoever looks at bytes and headers. */
import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { KubeConfig } from "@kubernetes/client-node";
import type { User } from "./kubectl.ts";

export interface Asked {
  readonly method?: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  /** In place of the cluster's API server. */
  readonly server?: string;
  /** No faster than this. */
  readonly bytesPerS?: number;
  /** Breaks the connection off behind so many bytes. */
  readonly breakAtBytes?: number;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Whether all came that was announced. */
  readonly whole: boolean;
}

/** @param path  sent as it is, dots and all */
export async function ask(user: User, path: string, how: Asked = {}): Promise<Answered> {
  const config = new KubeConfig();
  config.loadFromFile(user.kubeconfig);
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { hostname, port } = new URL(how.server ?? config.getCurrentCluster()?.server ?? "");
  const { method = "GET", headers = {} } = how;
  const sent = httpsRequest({ ...options, hostname, port, path, method, headers: { ...options.headers, ...headers } });
  sent.end();
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  let bytes = 0;
  const startMs = performance.now();
  const lagMs = () => startMs + (bytes / (how.bytesPerS ?? 1)) * 1000 - performance.now();
  const whole = await (async () => {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= (how.breakAtBytes ?? Number.POSITIVE_INFINITY)) return false;
      if (how.bytesPerS !== undefined && lagMs() > 0) await sleep(lagMs());
    }
    return answer.complete;
  })().catch(() => false);
  sent.destroy();
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks), whole };
}
